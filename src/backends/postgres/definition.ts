import type { BackendDefinition } from "../../port/index.ts";
import { dependency } from "./dependency.ts";
import type { PostgresOptions } from "./index.ts";
import { parsePostgresUrl, schemes } from "./url.ts";

export const definition: BackendDefinition<PostgresOptions> = {
  name: "postgres",
  schemes,
  example: "postgres://localhost:5432/mydb",
  about: "every machine: Postgres",
  dependency,
  fromUrl(url) {
    const text = url.withPassword();
    parsePostgresUrl(text); // refused now, before the backend is loaded
    return { url: text };
  },
  async open(options) {
    const { postgresBackend } = await import("./index.ts");
    return postgresBackend(options);
  },
};

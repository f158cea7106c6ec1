import type { BackendDefinition } from "../../port/index.ts";
import { refuseParams } from "../../url/backend-url.ts";
import { localPath } from "../../url/local-path.ts";
import { dependency } from "./dependency.ts";
import type { SqliteOptions } from "./index.ts";

export const definition: BackendDefinition<SqliteOptions> = {
  name: "sqlite",
  schemes: ["sqlite:"],
  example: "sqlite:./data.db",
  about: "every process of this machine, also in containers that share the file",
  dependency,
  fromUrl(url) {
    const path = localPath(url, "file", "data.db");
    refuseParams(url, ["prefix"]);
    return { path, prefix: url.params.get("prefix") };
  },
  async open(options) {
    const { sqliteBackend } = await import("./index.ts");
    return sqliteBackend(options);
  },
};

import type { BackendDefinition } from "../../port/index.ts";
import { dependency } from "./dependency.ts";
import type { MySqlOptions } from "./index.ts";
import { parseMySqlUrl, schemes } from "./url.ts";

export const definition: BackendDefinition<MySqlOptions> = {
  name: "mysql",
  schemes,
  example: "mysql://localhost:3306/mydb",
  about: "every machine: MySQL, MariaDB",
  dependency,
  fromUrl(url) {
    const text = url.withPassword();
    parseMySqlUrl(text); // refused now, before the backend is loaded
    return { url: text };
  },
  async open(options) {
    const { mysqlBackend } = await import("./index.ts");
    return mysqlBackend(options);
  },
};

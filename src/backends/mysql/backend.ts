import { systemTime } from "../../base/time.ts";
import type { Backend, Tables } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { checkPrefix, checkSchema, defaultPrefix } from "../sql/identifiers.ts";
import { checkMode, openTables, tablesOf, type MigrateMode } from "../sql/tables.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { mysqlClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { MySqlConnectionOptions } from "./connections/options.ts";
import { mysqlDialect } from "./dialect.ts";
import { mysqlTables } from "./migrations.ts";
import { parseMySqlUrl } from "./url.ts";

/** What {@link mysqlBackend} takes. */
export interface MySqlOptions extends MySqlConnectionOptions {
  /** The database that the tables are in, which is there already. Default: that of the connection. */
  readonly schema?: string | undefined;
  /** What the names of the tables begin with. Default `"holdfast_"`. */
  readonly prefix?: string | undefined;
  /** Whether tables that are missing are made (`"auto"`, the default), or only looked for. */
  readonly migrate?: MigrateMode | undefined;
}

/**
 * MySQL, from version 8.0, and MariaDB, from 10.6. No I/O, and the driver is not loaded before the first call. Throws
 * InvalidArgumentError for options that cannot be.
 */
export function mysqlBackend(options: MySqlOptions): Backend {
  return new MySqlBackend(options);
}

class MySqlBackend extends SqlBackend {
  readonly tables: Tables;

  constructor(options: MySqlOptions) {
    const client = mysqlClient(options);
    const param = (name: string): string | undefined =>
      options.url === undefined ? undefined : parseMySqlUrl(options.url).params.get(name);
    const schema = options.schema ?? param("schema");
    const plan = mysqlTables(
      schema === undefined ? undefined : checkSchema(schema, BACKEND),
      checkPrefix(options.prefix ?? param("prefix") ?? defaultPrefix, BACKEND),
    );
    const time = systemTime;
    const migrate = checkMode(options.migrate ?? param("migrate") ?? "auto", BACKEND);
    super({
      client,
      time,
      dialect: mysqlDialect(plan.names, () => client.server),
      prepare: async (limit) => ({
        domain: await openTables(client, plan, migrate, { ...limit, time }),
        capabilities: capabilitiesOf(client.server),
      }),
    });
    this.tables = tablesOf(client, plan, time);
  }
}

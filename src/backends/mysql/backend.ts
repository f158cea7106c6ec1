import { systemTime } from "../../base/time.ts";
import type { Backend, Tables } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { resolveTableOptions, type TableOptions } from "../sql/options.ts";
import { openTables, tablesOf } from "../sql/tables.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { mysqlClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { MySqlConnectionOptions } from "./connections/options.ts";
import { mysqlDialect } from "./dialect.ts";
import { mysqlTables } from "./migrations.ts";
import { ownDialect } from "./own-dialect.ts";
import { parseMySqlUrl } from "./url.ts";

/** What {@link mysqlBackend} takes. */
export interface MySqlOptions extends MySqlConnectionOptions, TableOptions {
  /** The database that the tables are in, which is there already. Default: that of the connection. */
  readonly schema?: string | undefined;
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
    const params = options.url === undefined ? undefined : parseMySqlUrl(options.url).params;
    const { schema, prefix, migrate } = resolveTableOptions(options, (name) => params?.get(name), BACKEND);
    const plan = mysqlTables(schema, prefix);
    const time = systemTime;
    const dialect = mysqlDialect(plan.names, () => client.server);
    super({
      client,
      time,
      dialect,
      own: ownDialect(plan.names, dialect),
      prepare: async (limit) => ({
        domain: await openTables(client, plan, migrate, { ...limit, time }),
        capabilities: capabilitiesOf(client.server),
      }),
    });
    this.tables = tablesOf(client, plan, time);
  }
}

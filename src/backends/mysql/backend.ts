import { InvalidArgumentError } from "../../base/errors.ts";
import type { Backend, Capabilities } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { resolveTableOptions, type TableOptions } from "../sql/options.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { mysqlClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { MySqlConnectionOptions } from "./connections/options.ts";
import { mysqlDialect } from "./dialect.ts";
import { mysqlTables } from "./migrations.ts";
import { ownDialect } from "./own-dialect.ts";
import { checkSettings, examineServer, judgeRights, type Promised } from "./settings/index.ts";
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
  const client = mysqlClient(options);
  const params = options.url === undefined ? undefined : parseMySqlUrl(options.url).params;
  const { schema, prefix, migrate, settings } = resolveTableOptions(options, (name) => params?.get(name), BACKEND);
  const database = schema ?? client.database;
  if (database === undefined) {
    const message = "the pool names no database: name the one that the tables are in as schema";
    throw new InvalidArgumentError(message, { backend: BACKEND });
  }
  const plan = mysqlTables(database, prefix);
  const dialect = mysqlDialect(plan.names, () => client.server);
  const capabilities = (promised: Promised): Capabilities => capabilitiesOf(client.server, promised);
  return new SqlBackend({
    client,
    dialect,
    own: ownDialect(plan.names, dialect),
    plan,
    migrate,
    settings,
    async check(asking) {
      return { capabilities: capabilities(await checkSettings(settings, { ...asking, client })) };
    },
    judgeRights: async (asking) => judgeRights(plan, asking),
    examine: async (asking) => examineServer(plan, capabilities, { ...asking, client }),
  });
}

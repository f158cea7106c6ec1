import { InvalidArgumentError } from "../../base/errors.ts";
import { systemTime } from "../../base/time.ts";
import type { Backend, Examination, Tables } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { failureOf } from "../sql/failures.ts";
import type { TablePlan } from "../sql/migrations.ts";
import { resolveTableOptions, type TableOptions } from "../sql/options.ts";
import type { Asking } from "../sql/settings.ts";
import { openTables, tablesOf } from "../sql/tables.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { mysqlClient, type MySqlClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { MySqlConnectionOptions } from "./connections/options.ts";
import { mysqlDialect } from "./dialect.ts";
import { mysqlTables } from "./migrations.ts";
import { ownDialect } from "./own-dialect.ts";
import { checkSettings, examineServer, requireRights } from "./settings/index.ts";
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
  readonly #client: MySqlClient;
  readonly #plan: TablePlan;

  constructor(options: MySqlOptions) {
    const client = mysqlClient(options);
    const params = options.url === undefined ? undefined : parseMySqlUrl(options.url).params;
    const { schema, prefix, migrate, settings } = resolveTableOptions(options, (name) => params?.get(name), BACKEND);
    const database = schema ?? client.database;
    if (database === undefined) {
      const message = "the pool names no database: name the one that the tables are in as schema";
      throw new InvalidArgumentError(message, { backend: BACKEND });
    }
    const plan = mysqlTables(database, prefix);
    const time = systemTime;
    const dialect = mysqlDialect(plan.names, () => client.server);
    super({
      client,
      time,
      dialect,
      own: ownDialect(plan.names, dialect),
      prepare: async ({ deadline }) => {
        const asking: Asking = { client, backend: BACKEND, time, deadline };
        // First, so that nothing is written where the server is refused.
        const promised = await checkSettings(settings, asking);
        const domain = await openTables(client, plan, migrate, { time, deadline });
        await requireRights(plan, settings, asking);
        return { domain, capabilities: capabilitiesOf(client.server, promised) };
      },
    });
    this.#client = client;
    this.#plan = plan;
    this.tables = tablesOf(client, plan, time);
  }

  async examine({ deadline }: { readonly deadline: number }): Promise<Examination> {
    const client = this.#client;
    try {
      await client.open({ deadline });
    } catch (error) {
      throw failureOf(error, BACKEND);
    }
    const asking: Asking = { client, backend: BACKEND, time: this.time, deadline };
    return examineServer(this.#plan, (promised) => capabilitiesOf(client.server, promised), asking);
  }
}

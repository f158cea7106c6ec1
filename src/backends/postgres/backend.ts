import { systemTime } from "../../base/time.ts";
import type { Backend, Examination, Tables } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { failureOf } from "../sql/failures.ts";
import type { TablePlan } from "../sql/migrations.ts";
import { resolveTableOptions, type TableOptions } from "../sql/options.ts";
import { openTables, tablesOf } from "../sql/tables.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { postgresClient, type PostgresClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { PostgresConnectionOptions } from "./connections/options.ts";
import { postgresDialect } from "./dialect.ts";
import { ownDialect } from "./own-dialect.ts";
import { postgresTables } from "./migrations.ts";
import { postgresSignals } from "./signals/index.ts";
import { checkSettings, examineServer, requireRights, whyDeaf, type PostgresAsking } from "./settings/index.ts";
import { parsePostgresUrl } from "./url.ts";

/** What {@link postgresBackend} takes. */
export interface PostgresOptions extends PostgresConnectionOptions, TableOptions {
  /** The schema that the tables are in, which is there already. Default `"public"`. */
  readonly schema?: string | undefined;
}

/**
 * Postgres, from version 12. No I/O, and the driver is not loaded before the first call. Throws InvalidArgumentError
 * for options that cannot be.
 */
export function postgresBackend(options: PostgresOptions): Backend {
  return new PostgresBackend(options);
}

class PostgresBackend extends SqlBackend {
  readonly tables: Tables;
  readonly #client: PostgresClient;
  readonly #plan: TablePlan;

  constructor(options: PostgresOptions) {
    const time = systemTime;
    const client = postgresClient(options, time);
    const params = options.url === undefined ? undefined : parsePostgresUrl(options.url).params;
    const {
      schema = "public",
      prefix,
      migrate,
      settings,
    } = resolveTableOptions(options, (name) => params?.get(name), BACKEND);
    const plan = postgresTables(schema, prefix);
    const dialect = postgresDialect(plan.names);
    super({
      client,
      time,
      dialect,
      own: ownDialect(plan.names, dialect),
      signals: (opening) => postgresSignals({ time, client, opening, names: plan.names }),
      prepare: async ({ deadline }) => {
        const asking: PostgresAsking = { client, backend: BACKEND, time, deadline };
        // First, so that nothing is written where the server is refused.
        const promised = await checkSettings(settings, asking);
        const domain = await openTables(client, plan, migrate, { time, deadline });
        await requireRights(plan, settings, asking);
        const whyNoWatch = promised.hears ? undefined : whyDeaf;
        return { domain, capabilities: capabilitiesOf(promised), whyNoWatch };
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
    return examineServer(this.#plan, capabilitiesOf, { client, backend: BACKEND, time: this.time, deadline });
  }
}

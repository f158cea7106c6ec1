import { systemTime } from "../../base/time.ts";
import type { Backend, Tables } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { checkPrefix, checkSchema, defaultPrefix } from "../sql/identifiers.ts";
import { openTables, tablesOf, type MigrateMode } from "../sql/tables.ts";
import { capabilities } from "./capabilities.ts";
import { postgresClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { PostgresConnectionOptions } from "./connections/options.ts";
import { postgresDialect } from "./dialect.ts";
import { postgresTables } from "./migrations.ts";

/** What {@link postgresBackend} takes. */
export interface PostgresOptions extends PostgresConnectionOptions {
  /** The schema that the tables are in, which is there already. Default `"public"`. */
  readonly schema?: string | undefined;
  /** What the names of the tables begin with. Default `"holdfast_"`. */
  readonly prefix?: string | undefined;
  /** Whether tables that are missing are made (`"auto"`, the default), or only looked for. */
  readonly migrate?: MigrateMode | undefined;
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

  constructor(options: PostgresOptions) {
    const schema = checkSchema(options.schema ?? "public", BACKEND);
    const plan = postgresTables(schema, checkPrefix(options.prefix ?? defaultPrefix, BACKEND));
    const time = systemTime;
    const client = postgresClient(options, time);
    const { migrate = "auto" } = options;
    super({
      client,
      time,
      dialect: postgresDialect(plan.names),
      prepare: async (limit) => {
        return { domain: await openTables(client, plan, migrate, { ...limit, time }), capabilities };
      },
    });
    this.tables = tablesOf(client, plan, time);
  }
}

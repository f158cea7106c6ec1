import { systemTime } from "../../base/time.ts";
import type { Backend } from "../../port/index.ts";
import { SqlBackend } from "../sql/backend.ts";
import { resolveTableOptions, type TableOptions } from "../sql/options.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { postgresClient } from "./client.ts";
import { BACKEND } from "./connections/errors.ts";
import type { PostgresConnectionOptions } from "./connections/options.ts";
import { postgresDialect } from "./dialect.ts";
import { ownDialect } from "./own-dialect.ts";
import { postgresTables } from "./migrations.ts";
import { postgresSignals } from "./signals/index.ts";
import { checkSettings, examineServer, judgeRights, whyDeaf } from "./settings/index.ts";
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
  const client = postgresClient(options);
  const params = options.url === undefined ? undefined : parsePostgresUrl(options.url).params;
  const { prefix, migrate, settings, ...given } = resolveTableOptions(options, (name) => params?.get(name), BACKEND);
  const plan = postgresTables(given.schema ?? "public", prefix);
  const dialect = postgresDialect(plan.names);
  const time = systemTime;
  return new SqlBackend({
    client,
    time,
    dialect,
    own: ownDialect(plan.names, dialect),
    signals: (opening) => postgresSignals({ time, client, opening, names: plan.names }),
    plan,
    migrate,
    settings,
    async check(asking) {
      const promised = await checkSettings(settings, { ...asking, client });
      return { capabilities: capabilitiesOf(promised), whyNoWatch: promised.hears ? undefined : whyDeaf };
    },
    judgeRights: async (asking) => judgeRights(plan, asking),
    examine: async (asking) => examineServer(plan, capabilitiesOf, { ...asking, client }),
  });
}

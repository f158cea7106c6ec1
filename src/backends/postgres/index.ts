/*
 * Who is who on Postgres, beside the shared code of `backends/sql`:
 *
 * `backend.ts`      puts the parts together. `capabilities.ts`: what it promises.
 * `dialect.ts`      the statements, and what is in their replies; `arrays.ts` writes lists as parameters.
 * `client.ts`       lanes of connections on the driver. `connections/`: how they are made, what goes over them.
 * `signals/`        grants, messages and changes, over one connection that listens.
 * `sweep.ts`        the statements that remove what is over.
 * `settings/`       how the server is set, for `open` and for `holdfast doctor`.
 * `migrations.ts`   the tables. `url.ts`: the grammar of its URLs.
 */
export { postgresBackend, type PostgresOptions } from "./backend.ts";
export type { PostgresTlsOptions } from "./connections/targets.ts";

/*
 * Who is who on MySQL and MariaDB, beside the shared code of `backends/sql`:
 *
 * `backend.ts`      puts the parts together. `capabilities.ts`: what it promises, on the server that it finds.
 * `dialect.ts`      the statements, and what is in their replies. `statement.ts`: values in a statement, which no
 *                   setting can make mean anything else. `server.ts`: what the server is.
 * `client.ts`       lanes of connections on the driver. `connections/`: how they are made, what goes over them.
 * `settings/`       how the server is set, for `open` and for `holdfast doctor`.
 * `migrations.ts`   the tables. `url.ts`: the grammar of its URLs.
 */
export { mysqlBackend, type MySqlOptions } from "./backend.ts";
export type { MySqlTlsOptions } from "./connections/targets.ts";

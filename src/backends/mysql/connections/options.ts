import { InvalidArgumentError } from "../../../base/errors.ts";
import { resolveReachOptions, type ReachOptions, type ResolvedReachOptions } from "../../sql/options.ts";
import { parseMySqlUrl } from "../url.ts";
import type { Target } from "./attempt.ts";
import type { DriverPool } from "./driver.ts";
import { BACKEND } from "./errors.ts";
import { configTarget, urlTarget, type MySqlTlsOptions } from "./targets.ts";

/** How to reach MySQL or MariaDB. Exactly one of `url` and `pool`. */
export interface MySqlConnectionOptions extends ReachOptions {
  /**
   * `mysql://user:password@host:3306/database`, or with `mariadb` in place of `mysql`. Parameters: `ssl-mode`
   * (`disabled`, `required`, `verify-ca`, `verify-identity`), and the options below by their names but `tls`; an option
   * wins.
   */
  readonly url?: string | undefined;
  /**
   * The application's own pool, of package `mysql2` or `mysql2/promise`. Statements run on its connections, one
   * transaction at a time on each, whatever it has set; it is never ended here. One made with
   * `multipleStatements: true` needs fewer round trips. Renewals of leases have connections of their own, made with the
   * pool's options.
   */
  readonly pool?: object | undefined;
  /** For a URL: has TLS, with a certificate that is trusted and bears the host's name, unless `ssl-mode` says less. */
  readonly tls?: MySqlTlsOptions | undefined;
  /**
   * Most connections for transactions; besides, there are two for reads and two for renewals, each from its first use
   * on. Default 4. With a `pool`: most of its connections that are used at one time, by default all.
   */
  readonly maxConnections?: number | undefined;
}

/** {@link MySqlConnectionOptions} with every default in its place. */
export interface ResolvedConnectionOptions extends ResolvedReachOptions {
  readonly pool: DriverPool | undefined;
  readonly target: Target;
  /** The database of its connections; undefined where a pool names none. */
  readonly database: string | undefined;
}

/** Checks options and puts the defaults in place. Throws InvalidArgumentError. */
export function resolveConnectionOptions(options: MySqlConnectionOptions): ResolvedConnectionOptions {
  const { url, tls } = options;
  if ((url === undefined) === (options.pool === undefined)) refuse("mysql needs a url or a pool, and one of them only");
  if (tls !== undefined && (typeof tls !== "object" || tls === null)) refuse("tls must be an object");
  if (tls !== undefined && url === undefined) refuse("tls is for a url; a pool has ssl");
  const target = url === undefined ? undefined : parseMySqlUrl(url);
  const param = (name: string): string | undefined => target?.params.get(name);
  const pool = options.pool === undefined ? undefined : checkedPool(options.pool);
  const { connectionConfig = {}, connectionLimit } = pool?.config ?? {};
  return {
    pool,
    target: target ? urlTarget(target, tls) : configTarget(connectionConfig),
    database: target ? target.database : databaseOf(connectionConfig),
    ...resolveReachOptions(options, param, connectionLimit || 4, BACKEND),
  };
}

function databaseOf({ database }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof database === "string" && database !== "" ? database : undefined;
}

/** A pool is told by its shape: it may come from another copy of the driver. */
function checkedPool(given: object): DriverPool {
  if (typeof given !== "object" || given === null) refuse("the pool is not one of package mysql2");
  // One of mysql2/promise has the other inside.
  const { pool: inside } = given as { readonly pool?: unknown };
  const pool = (typeof inside === "object" && inside !== null ? inside : given) as Partial<DriverPool>;
  if (typeof pool.getConnection !== "function" || typeof pool.config?.connectionConfig !== "object") {
    refuse("the pool is not one of package mysql2");
  }
  return pool as DriverPool;
}

/** Throws InvalidArgumentError. */
function refuse(why: string): never {
  throw new InvalidArgumentError(why, { backend: BACKEND });
}

import { InvalidArgumentError } from "../../../base/errors.ts";
import { resolveReachOptions, type ReachOptions, type ResolvedReachOptions } from "../../sql/options.ts";
import { parsePostgresUrl, type connectionParams } from "../url.ts";
import type { Target } from "./attempt.ts";
import { loadPg, type PgClientType, type PgPool } from "./driver.ts";
import { BACKEND, type Hide } from "./errors.ts";
import { configTarget, secretsOf, urlTargets, type PostgresTlsOptions } from "./targets.ts";

/** How to reach Postgres. Exactly one of `url`, `config` and `pool`. */
export interface PostgresConnectionOptions extends ReachOptions {
  /**
   * `postgres://user:password@host:5432/database`, with several hosts if need be: `postgres://a,b:5433/database`, of
   * which the first is taken that takes writes. Parameters: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`,
   * `target_session_attrs`, `channel_binding`, `application_name`, and the options below by their names but `tls`; an
   * option wins.
   */
  readonly url?: string | undefined;
  /** What the `Client` of package `pg` takes, for all that a URL cannot say, such as a function for the password. */
  readonly config?: object | undefined;
  /**
   * The application's own pool, a `Pool` of package `pg`. Statements run on its clients, one transaction at a time on
   * each, and it is never ended here; one made with `pipeline: true` needs fewer round trips. Renewals of leases and
   * notifications have connections of their own, made with the pool's options.
   */
  readonly pool?: object | undefined;
  /** With a URL that has TLS. */
  readonly tls?: PostgresTlsOptions | undefined;
  /**
   * Where notifications are listened to, if `url`, `config` or `pool` lead to a pooler: the server itself, or a pooler
   * that keeps sessions.
   */
  readonly listenUrl?: string | undefined;
  /**
   * Most connections for transactions; besides, there are one for reads, two for renewals and one for notifications,
   * each from its first use on. Default 8, with a `pool` its `max`.
   */
  readonly maxConnections?: number | undefined;
}

/** {@link PostgresConnectionOptions} with every default in its place. */
export interface ResolvedConnectionOptions extends ResolvedReachOptions {
  readonly pool: PgPool | undefined;
  readonly targets: readonly Target[];
  readonly listenTargets: readonly Target[] | undefined;
  readonly readWrite: boolean;
  readonly hide: Hide;
  /** The driver's client. Rejects with UnsupportedError. */
  client(): Promise<PgClientType>;
}

/**
 * Checks options and puts the defaults in place. What parameters a URL may have besides is for the caller to check.
 * Throws InvalidArgumentError.
 */
export function resolveConnectionOptions(options: PostgresConnectionOptions): ResolvedConnectionOptions {
  const { url, config, pool, tls } = options;
  if ([url, config, pool].filter((one) => one !== undefined).length !== 1) {
    refuse("postgres needs a url, a config or a pool, and one of them only");
  }
  if (tls !== undefined && (typeof tls !== "object" || tls === null)) refuse("tls must be an object");
  if (tls !== undefined && url === undefined) refuse("tls is for a url; a config has ssl");
  const target = url === undefined ? undefined : parsePostgresUrl(url);
  const param = (name: (typeof connectionParams)[number]): string | undefined => target?.params.get(name);
  const listenUrl = options.listenUrl ?? param("listenUrl");
  const listenTarget = listenUrl === undefined ? undefined : parsePostgresUrl(listenUrl);
  const ownPool = pool === undefined ? undefined : checkedPool(pool);
  const driverConfig = ownPool?.options ?? checkedConfig(config);
  return {
    pool: ownPool,
    targets: target ? urlTargets(target, tls) : [configTarget(driverConfig)],
    listenTargets: listenTarget && urlTargets(listenTarget, undefined),
    readWrite: target?.readWrite ?? false,
    ...resolveReachOptions(options, param, ownPool?.options.max ?? 8, BACKEND),
    hide: hiding([target?.credentials.password, listenTarget?.credentials.password, ...secretsOf(driverConfig)]),
    client: async () => ownPool?.Client ?? (await loadPg()).Client,
  };
}

function checkedConfig(config: unknown): Readonly<Record<string, unknown>> {
  if (config === undefined) return {};
  if (typeof config !== "object" || config === null) refuse("config must be what the Client of package pg takes");
  return config as Readonly<Record<string, unknown>>;
}

function checkedPool(pool: unknown): PgPool {
  const { connect, options, Client } = Object(pool) as Partial<PgPool>;
  if (
    typeof connect !== "function" ||
    typeof options !== "object" ||
    options === null ||
    typeof Client !== "function"
  ) {
    refuse("the pool is not a Pool of package pg");
  }
  return pool as PgPool;
}

function hiding(secrets: readonly (string | undefined)[]): Hide {
  const known = secrets.filter((secret) => secret !== undefined && secret !== "") as readonly string[];
  return (text) => known.reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}

/** Throws InvalidArgumentError. */
function refuse(why: string): never {
  throw new InvalidArgumentError(why, { backend: BACKEND });
}

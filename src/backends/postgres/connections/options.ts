import { InvalidArgumentError } from "../../../base/errors.ts";
import type { Duration } from "../../../base/durations.ts";
import { toMs } from "../../../base/durations.ts";
import { parsePostgresUrl, type PostgresTarget } from "../url.ts";
import type { Target } from "./attempt.ts";
import type { PgClientType, PgConfig } from "./driver.ts";
import { BACKEND, type Hide } from "./errors.ts";

/** How to reach Postgres. Exactly one of `url`, `config` and `pool`. */
export interface PostgresConnectionOptions {
  /** `postgres://user:password@host:5432/database?sslmode=verify-full`. */
  readonly url?: string | undefined;
  /** What the `Client` of package `pg` takes. */
  readonly config?: object | undefined;
  /** For one attempt to connect to one host. Default `"5s"`. */
  readonly connectTimeout?: Duration | undefined;
  /** Most connections for transactions. Default 4. */
  readonly maxConnections?: number | undefined;
  /**
   * Most calls that wait for a connection at one time; more are refused at once with UnavailableError. Default 10,000.
   */
  readonly maxWaiting?: number | undefined;
}

export interface ResolvedConnectionOptions {
  readonly targets: readonly Target[];
  readonly readWrite: boolean;
  readonly connectTimeout: number;
  readonly maxConnections: number;
  readonly maxWaiting: number;
  readonly hide: Hide;
  readonly client: PgClientType | undefined;
}

/** Checks options and puts the defaults in place. Throws InvalidArgumentError. */
export function resolveConnectionOptions(options: PostgresConnectionOptions): ResolvedConnectionOptions {
  const { url, config } = options;
  if ((url === undefined) === (config === undefined)) refuse("postgres needs a url or a config, and one of them only");
  const target = url === undefined ? undefined : parsePostgresUrl(url);
  const password = target ? target.credentials.password : (config as { readonly password?: unknown }).password;
  return {
    targets: target ? targetsOf(target) : [{ where: "the server", config: ownConfig({ ...config }) }],
    readWrite: target?.readWrite ?? false,
    connectTimeout: toMs(options.connectTimeout ?? 5_000, "connectTimeout"),
    maxConnections: count("maxConnections", options.maxConnections ?? 4),
    maxWaiting: count("maxWaiting", options.maxWaiting ?? 10_000),
    hide: typeof password === "string" && password !== "" ? (text) => text.replaceAll(password, "***") : (text) => text,
    client: undefined,
  };
}

function targetsOf({ hosts, credentials, database, ssl }: PostgresTarget): readonly Target[] {
  const { username, password } = credentials;
  return hosts.map(({ host, port = 5432 }) => ({
    where: host.startsWith("/") ? host : host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    config: ownConfig({
      host,
      port,
      ...(username !== undefined && { user: username }),
      ...(password !== undefined && { password }),
      ...(database !== undefined && { database }),
      ...(ssl !== undefined && { ssl }),
    }),
  }));
}

/** What every connection of ours has. Time is ours to keep. */
function ownConfig(config: PgConfig): PgConfig {
  return {
    fallback_application_name: "holdfast",
    ...config,
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: 0,
    connectionTimeoutMillis: 0,
  };
}

function count(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
    refuse(`${name} must be a whole number above 0`);
  return value;
}

/** Throws InvalidArgumentError. */
function refuse(why: string): never {
  throw new InvalidArgumentError(why, { backend: BACKEND });
}

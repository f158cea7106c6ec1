import type { Duration } from "../../../base/durations.ts";
import { InvalidArgumentError } from "../../../base/errors.ts";
import type { Params } from "../../../url/params.ts";
import type { SettingsMode } from "../../common/findings.ts";
import { connectTimeoutOf, countOf, oneOf } from "../../common/options.ts";
import { parseRedisUrl, type RedisTarget } from "../url.ts";
import { BACKEND } from "./failures.ts";

/** How a TLS connection is made; as the options of `tls.connect` in Node.js. */
export interface RedisTlsOptions {
  /** Certificates to trust instead of the usual ones, in PEM. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** The client's own certificate, in PEM. */
  readonly cert?: string | Buffer | undefined;
  /** The key of `cert`, in PEM. */
  readonly key?: string | Buffer | undefined;
  /** The name that the server's certificate must bear; the host's unless told. */
  readonly servername?: string | undefined;
  /** `false` trusts any certificate, so anybody in between: for tests. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** How to reach Redis, Valkey, KeyDB or Dragonfly. Exactly one of `url` and `client`. */
export interface RedisOptions {
  /**
   * `redis://user:password@host:6379/0`, `rediss://` (TLS), `redis+cluster://a,b,c`, `redis+sentinel://a,b,c/master`,
   * or with `valkey` in place of `redis`. The options below but `tls` may be parameters of it; an option wins.
   */
  readonly url?: string | undefined;
  /**
   * The application's own client of package `redis`, whose settings are used: every connection is a duplicate of it,
   * made by its `duplicate()`, and it is never opened, changed or closed here. It need not be connected, but for a
   * cluster, which has to be, or connecting. A client for sentinels keeps its settings to itself and is refused: give a
   * URL. For ioredis and iovalkey see `fromIoredis`.
   */
  readonly client?: object | undefined;
  /** First part of every key and channel. Another prefix is another store. Default `"hf"`. */
  readonly prefix?: string | undefined;
  /** For `rediss://` and its kin. */
  readonly tls?: RedisTlsOptions | undefined;
  /** User and password for the sentinels, which may differ from the servers'. */
  readonly sentinel?: { readonly username?: string | undefined; readonly password?: string | undefined } | undefined;
  /** For one attempt to connect, up to the server's first answer. Default `"5s"`. */
  readonly connectTimeout?: Duration | undefined;
  /**
   * Most calls that wait for a connection at one time; more are refused at once with UnavailableError. Default 10,000.
   */
  readonly maxWaiting?: number | undefined;
  /**
   * Who sees to it that the server tells of changed keys, which `watch` needs. `"enable"`: CONFIG SET adds what is
   * missing, at the first watch. `"assume"`: the administrator has. `"off"`: there is no `watch`. Default `"enable"`.
   */
  readonly notifications?: "enable" | "assume" | "off" | undefined;
  /** What becomes of a server whose settings break what is promised: refuse to open, or warn. Default `"refuse"`. */
  readonly settings?: SettingsMode | undefined;
  /**
   * `"cache"`: this server holds caches only, so it may evict and lose what it likes; its locks are advisory then.
   * Default `"all"`.
   */
  readonly use?: "all" | "cache" | undefined;
}

/** Which servers, resolved. */
export interface Servers extends Pick<RedisTarget, "mode" | "tls" | "hosts" | "credentials" | "database" | "master"> {
  readonly sentinel: { readonly username: string | undefined; readonly password: string | undefined };
}

/** {@link RedisOptions} with every default in its place. */
export interface ResolvedOptions {
  readonly servers: Servers | undefined;
  readonly client: object | undefined;
  /** Its number; 0 on a cluster. */
  readonly database: number;
  readonly prefix: string;
  readonly tls: RedisTlsOptions;
  readonly connectTimeout: number;
  readonly maxWaiting: number;
  readonly notifications: "enable" | "assume" | "off";
  readonly settings: SettingsMode;
  readonly use: "all" | "cache";
}

const PARAMS = [
  "prefix",
  "connectTimeout",
  "maxWaiting",
  "notifications",
  "settings",
  "use",
  "sentinelUsername",
  "sentinelPassword",
  "servername",
] as const;

/** Checks options and puts the defaults in place. Throws InvalidArgumentError. */
export function resolveRedisOptions(options: RedisOptions): ResolvedOptions {
  const { url, client } = options;
  if ((url === undefined) === (client === undefined)) refuse("redis() needs a url or a client, and one of them only");
  if (client !== undefined && (typeof client !== "object" || client === null)) {
    refuse("the client is not a client of package redis, nor one made by fromIoredis");
  }
  const target = url === undefined ? undefined : redisTarget(url);
  const param = (name: (typeof PARAMS)[number]): string | undefined => target?.params.get(name);
  const choice = <const Word extends string>(
    name: "notifications" | "settings" | "use",
    words: readonly [Word, ...Word[]],
  ): Word => oneOf(name, options[name] ?? param(name), words, BACKEND);
  const tls = resolveTls(options.tls, target, param("servername"));
  return {
    servers: target && {
      mode: target.mode,
      tls: target.tls,
      hosts: target.hosts,
      credentials: target.credentials,
      database: target.database,
      master: target.master,
      sentinel: {
        username: options.sentinel?.username ?? param("sentinelUsername"),
        password: options.sentinel?.password ?? param("sentinelPassword"),
      },
    },
    client,
    database: target ? (target.database ?? 0) : databaseOf(client),
    prefix: resolvePrefix(options.prefix ?? param("prefix") ?? "hf"),
    tls,
    connectTimeout: connectTimeoutOf(options.connectTimeout, param("connectTimeout")),
    maxWaiting: countOf("maxWaiting", options.maxWaiting, param("maxWaiting"), { usual: 10_000, backend: BACKEND }),
    notifications: choice("notifications", ["enable", "assume", "off"]),
    settings: choice("settings", ["refuse", "warn"]),
    use: choice("use", ["all", "cache"]),
  };
}

/** What a client of either driver was told; for the driver's adapter see `ioredis.ts`. */
function databaseOf(client: object | undefined): number {
  const { options } = (client ?? {}) as { readonly options?: { readonly database?: unknown } };
  return typeof options?.database === "number" ? options.database : 0;
}

function redisTarget(url: string): RedisTarget {
  const target = parseRedisUrl(url);
  refuseUnknown(target.params, target.mode);
  return target;
}

function refuseUnknown(params: Params, mode: RedisTarget["mode"]): void {
  for (const [i, name] of params.names().entries()) {
    // Not quoted: where a question mark stands in a password, the rest of it looks like a parameter.
    if (!(PARAMS as readonly string[]).includes(name)) {
      refuse(`a redis URL has the parameters ${PARAMS.join(", ")}; query parameter ${i + 1} is none of them`);
    }
    if (name.startsWith("sentinel") && mode !== "sentinel") refuse(`${name} is for redis+sentinel:// URLs`);
  }
}

function resolveTls(
  tls: RedisTlsOptions | undefined,
  target: RedisTarget | undefined,
  servername: string | undefined,
): RedisTlsOptions {
  if (tls !== undefined && (typeof tls !== "object" || tls === null)) refuse("tls must be an object");
  if ((tls !== undefined || servername !== undefined) && target?.tls !== true) {
    refuse("TLS options need a URL with rediss:// or its kin");
  }
  if (tls?.rejectUnauthorized !== undefined && typeof tls.rejectUnauthorized !== "boolean") {
    refuse("tls.rejectUnauthorized must be true or false");
  }
  return { ...tls, servername: tls?.servername ?? servername };
}

function resolvePrefix(prefix: unknown): string {
  if (typeof prefix !== "string" || prefix === "" || Buffer.byteLength(prefix) > 256 || !prefix.isWellFormed()) {
    refuse("prefix must be a non-empty string of at most 256 bytes");
  }
  if (/[{}]/.test(prefix)) refuse("prefix must not hold { or }, which would put all keys into one slot of a cluster");
  return prefix;
}

/** Throws InvalidArgumentError. */
export function refuse(why: string): never {
  throw new InvalidArgumentError(why, { backend: BACKEND });
}

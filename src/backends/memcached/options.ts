import { InvalidArgumentError } from "../../base/errors.ts";
import { countOf } from "../common/options.ts";
import { BACKEND, type MetaClientOptions } from "./client/index.ts";
import { parseMemcachedUrl } from "./url.ts";

/** What {@link memcachedBackend} takes. */
export interface MemcachedOptions extends Partial<MetaClientOptions> {
  /** `memcached://` with one host or several, and the options as parameters; or {@link servers}. */
  readonly url?: string | undefined;
  /** What every key begins with; at most 64 characters, without white space. Default `"holdfast"`. */
  readonly prefix?: string | undefined;
  /**
   * `"floor"` keeps the highest fence beside each record that was used under a lease, and refuses lower ones; a save
   * then takes two round trips where it is not known what is there. Default `"none"`: leases guard no writes.
   */
  readonly guard?: "none" | "floor" | undefined;
}

export interface ResolvedOptions {
  readonly client: MetaClientOptions;
  readonly prefix: string;
  readonly guard: "none" | "floor";
}

/** Options, checked; one wins over a parameter of the URL. Throws InvalidArgumentError. */
export function resolveOptions(options: MemcachedOptions): ResolvedOptions {
  const { url, servers, ...given } = options;
  if ((url === undefined) === (servers === undefined)) refuse("give either a url or servers");
  const parsed = url === undefined ? undefined : parseMemcachedUrl(url);
  const param = (name: string): string | undefined => parsed?.params.get(name);
  const { prefix = param("prefix") ?? "holdfast", guard = param("guard") ?? "none" } = given;
  if (typeof prefix !== "string" || !/^[!-~]{0,64}$/.test(prefix)) {
    refuse("prefix must be at most 64 characters of ASCII without white space");
  }
  if (guard !== "none" && guard !== "floor") refuse('guard is "none" or "floor"');
  const { username = parsed?.credentials.username, password = parsed?.credentials.password } = given;
  return {
    prefix,
    guard,
    client: {
      servers: servers ?? (parsed as NonNullable<typeof parsed>).hosts,
      username,
      password,
      tls: given.tls ?? parsed?.scheme === "memcacheds",
      connectTimeout: given.connectTimeout ?? msOf(param("connectTimeout")),
      replyTimeout: given.replyTimeout ?? msOf(param("replyTimeout")),
      maxWaiting: countOf("maxWaiting", given.maxWaiting, param("maxWaiting"), { usual: 10_000, backend: BACKEND }),
    },
  };
}

/** A duration in a URL may be a bare number of milliseconds. */
function msOf(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
}

function refuse(message: string): never {
  throw new InvalidArgumentError(message, { backend: BACKEND });
}

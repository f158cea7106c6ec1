import { parseUrl, refuseSeveral, refuseSockets, type BackendUrl } from "../../url/backend-url.ts";
import { decodePart, refuseUrl } from "../../url/cut.ts";

/** Schemes of servers that speak as Redis does. */
export const schemes: readonly string[] = ["redis[s][+cluster|+sentinel]://", "valkey[s][+cluster|+sentinel]://"];

/** What a URL of these schemes means. */
export interface RedisTarget extends Pick<BackendUrl, "hosts" | "credentials" | "params"> {
  readonly mode: "single" | "cluster" | "sentinel";
  readonly tls: boolean;
  /** Undefined stands for 0; a cluster has no other. */
  readonly database: number | undefined;
  /** The master's name; defined if and only if `mode` is `"sentinel"`. */
  readonly master: string | undefined;
}

/** Cuts a URL of Redis. Throws InvalidArgumentError, which quotes no part of it. */
export function parseRedisUrl(text: unknown): RedisTarget {
  const url = parseUrl(text, schemes);
  const { hosts, credentials, params } = url;
  const [, secure, mode = "single"] = /^(?:redis|valkey)(s)?(?:\+(cluster|sentinel))?$/.exec(url.scheme) ?? [];
  const target = { hosts, credentials, params, tls: secure !== undefined };
  const steps = url.path.replace(/^\//, "").split("/");
  if (mode === "single") {
    refuseSeveral(url, "; a cluster is written redis+cluster://, sentinels redis+sentinel://");
    if (steps.length > 1) refuseUrl("the path of a redis URL is the number of a database");
    return { ...target, mode, master: undefined, database: parseDatabase(steps[0]) };
  }
  refuseSockets(url);
  if (mode === "cluster") {
    if (steps.length > 1 || (parseDatabase(steps[0]) ?? 0) !== 0) refuseUrl("a cluster has no database but 0");
    return { ...target, mode, master: undefined, database: undefined };
  }
  const [master = "", database, ...more] = steps;
  if (master === "" || more.length > 0)
    refuseUrl("the path of a sentinel URL is the master's name, and may go on with a database");
  return {
    ...target,
    mode: "sentinel",
    master: decodePart(master, "the master's name"),
    database: parseDatabase(database),
  };
}

function parseDatabase(text = ""): number | undefined {
  if (text === "") return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) : refuseUrl("the database must be a whole number");
}

import { addressText } from "../../../base/addresses.ts";
import type { Node, Reply } from "../router.ts";
import { ask, fieldsOf, pairsOf, textOf, type Asking } from "./ask.ts";

/** The servers that speak this protocol, as far as they are told apart. */
export type Flavour = "Redis" | "Valkey" | "KeyDB" | "Dragonfly";

/** What a node says of itself. */
export interface ServerInfo {
  /** `host:port` */
  readonly node: string;
  readonly flavour: Flavour;
  /**
   * The server's own version, which for others than Redis is not that of the Redis they are compatible with; may be
   * empty.
   */
  readonly version: string;
  /** The version of Redis that it is compatible with, as `major * 100 + minor`; undefined where it is not told. */
  readonly level: number | undefined;
  readonly role: "primary" | "replica" | undefined;
  /** A field of INFO; undefined where the server does not tell it. */
  readonly info: (name: string) => string | undefined;
  /** A setting; undefined where CONFIG GET does not tell it. */
  readonly setting: (name: string) => string | undefined;
  /** Whether CONFIG GET is allowed. */
  readonly configurable: boolean;
  /** The server's clock less this machine's, in ms; undefined where TIME is not allowed. */
  readonly clockMs: number | undefined;
  /** By how much {@link clockMs} may be wrong: half of the round trip. */
  readonly clockErrorMs: number;
  readonly replicas: readonly ReplicaInfo[];
}

/** A replica, as its primary sees it. */
export interface ReplicaInfo {
  readonly node: string;
  readonly online: boolean;
  /** Seconds since it was last heard of. */
  readonly lagSeconds: number;
  /** What it has not confirmed yet. */
  readonly behindBytes: number;
}

/** Asked one by one: servers before 7.0 take one name a call, and a pattern such as `*` would fetch passwords. */
const settings = [
  "maxmemory",
  "maxmemory-policy",
  "save",
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "timeout",
  "notify-keyspace-events",
  "min-replicas-to-write",
  "min-replicas-max-lag",
  "stop-writes-on-bgsave-error",
  "replica-serve-stale-data",
  "cluster-require-full-coverage",
  "cluster-allow-reads-when-down",
  "lazyfree-lazy-server-del",
  "active-replica", // KeyDB
  "cache_mode", // Dragonfly
  "snapshot_cron", // Dragonfly
];

/** Asks a node for everything at once, in one round trip. Rejects with UnavailableError. */
export async function readServer(node: Node, asking: Asking): Promise<ServerInfo> {
  const { time } = asking;
  const sentAt = time.wall();
  const startedAt = time.monotonic();
  const [clock, info, ...replies] = await Promise.all([
    // First of all, so that the round trip is that of TIME alone.
    ask(node.send(["TIME"]), asking).then((reply) => clockOf(reply, sentAt, time.monotonic() - startedAt)),
    ask(node.send(["INFO"]), asking),
    ...settings.map(async (name) => ask(node.send(["CONFIG", "GET", name]), asking)),
  ]);
  const config = new Map(replies.flatMap((reply) => [...pairsOf(reply)]));
  const fields = fieldsOf(textOf(info));
  const hello = info === undefined ? pairsOf(await ask(node.send(["HELLO"]), asking)) : new Map<string, string>();
  return {
    node: node.id,
    ...identify(fields, hello),
    role: roleOf(fields.get("role") ?? hello.get("role")),
    info: (name) => fields.get(name),
    setting: (name) => config.get(name),
    configurable: replies.some((reply) => reply !== undefined),
    ...clock,
    replicas: replicasOf(fields),
  };
}

function identify(
  fields: ReadonlyMap<string, string>,
  hello: ReadonlyMap<string, string>,
): Pick<ServerInfo, "flavour" | "version" | "level"> {
  const redis = fields.get("redis_version") ?? hello.get("version") ?? "";
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(redis) ?? [];
  const level = major === undefined ? undefined : Number(major) * 100 + Number(minor);
  const dragonfly = fields.get("dragonfly_version");
  if (dragonfly !== undefined) return { flavour: "Dragonfly", version: dragonfly.replace(/^(df-)?v?/, ""), level };
  const valkey = fields.get("valkey_version") ?? (hello.get("server") === "valkey" ? redis : undefined);
  if (valkey !== undefined) return { flavour: "Valkey", version: valkey, level };
  const keydb = fields.has("mvcc_depth") || /keydb/i.test(fields.get("executable") ?? "");
  return { flavour: keydb ? "KeyDB" : "Redis", version: redis, level };
}

function roleOf(role: string | undefined): ServerInfo["role"] {
  if (role === undefined) return undefined;
  return role === "slave" || role === "replica" ? "replica" : "primary";
}

function clockOf(
  reply: Reply | undefined,
  sentAt: number,
  roundTrip: number,
): Pick<ServerInfo, "clockMs" | "clockErrorMs"> {
  const [seconds, micros] = Array.isArray(reply) ? (reply as readonly Reply[]).map((part) => Number(textOf(part))) : [];
  const clockErrorMs = roundTrip / 2;
  if (seconds === undefined || micros === undefined) return { clockMs: undefined, clockErrorMs };
  return { clockMs: seconds * 1000 + micros / 1000 - (sentAt + clockErrorMs), clockErrorMs };
}

function replicasOf(fields: ReadonlyMap<string, string>): ReplicaInfo[] {
  const written = Number(fields.get("master_repl_offset") ?? 0);
  const replicas: ReplicaInfo[] = [];
  for (const [name, value] of fields) {
    if (!/^(slave|replica)\d+$/.test(name)) continue;
    const parts = new Map(value.split(",").map((part) => part.split("=", 2) as [string, string]));
    replicas.push({
      node: addressText(parts.get("ip") ?? "?", parts.get("port") ?? "?"),
      online: parts.get("state") === "online",
      lagSeconds: Number(parts.get("lag") ?? 0),
      behindBytes: Math.max(0, written - Number(parts.get("offset") ?? written)),
    });
  }
  return replicas;
}

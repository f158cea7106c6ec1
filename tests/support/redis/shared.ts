import type { ServerKind } from "../../backends/redis/servers.ts";
import { startCluster, type RedisCluster } from "./cluster.ts";
import { startSentinel, type SentinelGroup } from "./sentinel.ts";
import { startRedis, type RedisServer } from "./server.ts";

/**
 * Servers that a test file shares: started when they are first asked for, ended with the process. They keep their data, as a
 * backend asks of a server. Use a prefix of your own.
 */
export const shared = {
  single: once<RedisServer>((kind) => startRedis({ kind, appendonly: "everysec" })),
  sentinel: once<SentinelGroup>((kind) => startSentinel({ kind, appendonly: "everysec" })),
  cluster: once<RedisCluster>((kind) => startCluster({ kind, appendonly: "everysec" })),
};

function once<T>(start: (kind: ServerKind) => Promise<T>): (kind: ServerKind) => Promise<T> {
  const started = new Map<ServerKind, Promise<T>>();
  return async (kind) => {
    const known = started.get(kind);
    if (known) return known;
    const starting = start(kind);
    started.set(kind, starting);
    return starting;
  };
}

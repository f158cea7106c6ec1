import type { ServerKind } from "../../backends/redis/servers.ts";
import { sharing } from "../servers/shared.ts";
import { startCluster, type RedisCluster } from "./cluster.ts";
import { startSentinel, type SentinelGroup } from "./sentinel.ts";
import { startRedis, type RedisServer } from "./server.ts";

/** Servers that a test file shares: see {@link sharing}. */
export const shared = {
  single: sharing<ServerKind, RedisServer>((kind) => startRedis({ kind, appendonly: "everysec" })),
  sentinel: sharing<ServerKind, SentinelGroup>((kind) => startSentinel({ kind, appendonly: "everysec" })),
  cluster: sharing<ServerKind, RedisCluster>((kind) => startCluster({ kind, appendonly: "everysec" })),
};

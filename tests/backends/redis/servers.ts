import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/**
 * What can be started: the Redis of Debian stable, a Redis of now, and Valkey; and where somebody has put them on the PATH,
 * the oldest Redis that is supported, KeyDB and Dragonfly.
 */
export type ServerKind = "redis" | "redis8" | "valkey" | "redis6" | "keydb" | "dragonfly";

const redis = { file: "usr/bin/redis-server", says: /^Redis server v=([\d.]+)/ };
const redisPackages = ["redis-server", "redis-tools"];

export const wanted: Readonly<Record<ServerKind, Wanted>> = {
  redis: { ...redis, version: "7", debian: { release: "here", packages: redisPackages, folder: "apt" } },
  redis8: { ...redis, version: "8", debian: { release: "sid", packages: redisPackages, folder: "sid" } },
  // It may be installed under the names of Redis.
  valkey: {
    file: "usr/bin/valkey-server",
    says: /^Valkey server v=([\d.]+)/,
    version: "9",
    debian: { release: "sid", packages: ["valkey-server", "valkey-tools"], folder: "sid" },
  },
  redis6: { ...redis, version: "6", alone: true },
  keydb: { file: "usr/bin/keydb-server", says: /^KeyDB server v=([\d.]+)/, version: "6" },
  dragonfly: { file: "usr/bin/dragonfly", says: /^dragonfly v([\d.]+)/, version: "1" },
};

/** The program of a kind, where it is there. */
export function findServer(kind: ServerKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}

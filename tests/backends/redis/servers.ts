import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/**
 * What can be started: the Redis of Debian stable, a Redis of now, and Valkey; and where somebody has put them on the PATH,
 * the oldest Redis that is supported, KeyDB and Dragonfly.
 */
export type ServerKind = "redis" | "redis8" | "valkey" | "redis6" | "keydb" | "dragonfly";

const redis = { file: "redis-server", says: "Redis server v=" };
const redisPackages = ["redis-server", "redis-tools"];

export const wanted: Readonly<Record<ServerKind, Wanted>> = {
  redis: { ...redis, major: 7, debian: { packages: redisPackages, folder: "apt" } },
  redis8: { ...redis, major: 8, debian: { packages: redisPackages, folder: "sid" } },
  // It may be installed under the names of Redis.
  valkey: {
    file: "valkey-server",
    says: "Valkey server v=",
    major: 9,
    debian: { packages: ["valkey-server", "valkey-tools"], folder: "sid" },
  },
  redis6: { ...redis, major: 6, alone: true },
  keydb: { file: "keydb-server", says: "KeyDB server v=", major: 6 },
  dragonfly: { file: "dragonfly", says: "dragonfly v", major: 1 },
};

/** The program of a kind, where it is there. */
export function findServer(kind: ServerKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}

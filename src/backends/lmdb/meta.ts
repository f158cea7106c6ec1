import type { LmdbStore } from "./driver.ts";
import { textOf } from "./layout.ts";

/** A process that has the directory open. */
export interface PeerRecord {
  readonly id: string;
  /** Its socket: a file's name in the directory of sockets, or a path. */
  readonly socket: string;
}

/** What may be watched: `s` and a space's id, or `t` and a topic. */
export type Watched = `${"s" | "t"}${string}`;

/** Reads a JSON record. */
export function readMeta<T>(meta: LmdbStore, key: string): T | undefined {
  const bytes = meta.getBinaryFast(key);
  return bytes && (JSON.parse(textOf(bytes, meta.lastSize)) as T);
}

/** Writes a JSON record. */
export function writeMeta(meta: LmdbStore, key: string, value: unknown): void {
  meta.put(key, Buffer.from(JSON.stringify(value)));
}

/** What follows `prefix` in the keys that start with it, at most `limit`. */
export function suffixes(meta: LmdbStore, prefix: string, limit: number): string[] {
  const start = Buffer.from(prefix);
  // No UTF-8 text holds the byte 255, so this is behind every key with the prefix.
  const range = { start, end: Buffer.concat([start, Buffer.from([255])]), limit };
  return Array.from(meta.getKeys(range), (key) => key.toString("utf8", start.length));
}

export const metaKeys = {
  /** The boot that leases are counted in: `{ id, epoch }`. */
  boot: "boot",
  /** No grant of a lock without a record is below. */
  floor: "floor",
  /** Rises when somebody starts or stops watching. */
  watches: "watches",
  /** The position of the log's last entry. */
  head: "head",
  /** Which process sweeps, and until when by the lease clock: `{ peer, until }`. */
  sweeper: "sweeper",
  peers: "peer:",
  peer: (id: string) => `peer:${id}`,
  watching: "watch:",
  /** A process watches something. No id of a process holds a line break, and what is watched comes last. */
  watch: (peer: string, what: Watched) => `watch:${peer}\n${what}`,
  waits: (peer: string) => `wait:${peer}\n`,
} as const;

/** Who watches what: spaces by their id, topics by name, each with the ids of processes. */
export interface Watches {
  readonly spaces: ReadonlyMap<string, readonly string[]>;
  readonly topics: ReadonlyMap<string, readonly string[]>;
}

/** Reads all watches. */
export function readWatches(meta: LmdbStore): Watches {
  const spaces = new Map<string, string[]>();
  const topics = new Map<string, string[]>();
  for (const entry of suffixes(meta, metaKeys.watching, 100_000)) {
    const split = entry.indexOf("\n");
    const map = entry[split + 1] === "s" ? spaces : topics;
    const what = entry.slice(split + 2);
    const peers = map.get(what);
    if (peers) peers.push(entry.slice(0, split));
    else map.set(what, [entry.slice(0, split)]);
  }
  return { spaces, topics };
}

import type { Meta } from "./tables.ts";

/** A process that has the data open. */
export interface PeerRecord {
  readonly id: string;
  /** Its socket: a file's name in the folder of sockets, or a path. */
  readonly socket: string;
}

/** What may be watched: `s` and a space's id, or `t` and a topic. */
export type Watched = `${"s" | "t"}${string}`;

/** Reads a JSON value. */
export function readMeta<T>(meta: Meta, name: string): T | undefined {
  const text = meta.get(name);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** Writes a JSON value. */
export function writeMeta(meta: Meta, name: string, value: unknown): void {
  meta.put(name, JSON.stringify(value));
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
function readWatches(meta: Meta): Watches {
  const spaces = new Map<string, string[]>();
  const topics = new Map<string, string[]>();
  for (const entry of meta.suffixes(metaKeys.watching, 100_000)) {
    const split = entry.indexOf("\n");
    const map = entry[split + 1] === "s" ? spaces : topics;
    const what = entry.slice(split + 2);
    const peers = map.get(what);
    if (peers) peers.push(entry.slice(0, split));
    else map.set(what, [entry.slice(0, split)]);
  }
  return { spaces, topics };
}

/** Who watches, read again only when that has changed. */
export class WatchCache {
  #version = -1;
  #watches: Watches = { spaces: new Map(), topics: new Map() };

  read(meta: Meta): Watches {
    const version = readMeta<number>(meta, metaKeys.watches) ?? 0;
    if (version !== this.#version) {
      this.#watches = readWatches(meta);
      this.#version = version;
    }
    return this.#watches;
  }

  /** A transaction was undone: what it read may never have been. */
  forget(): void {
    this.#version = -1;
  }
}

import { UnavailableError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import { space, type Key, type Space } from "../base/keys.ts";
import type { Call, Instance, Reply } from "../client/index.ts";
import type { ListedRecord, Operation, StoredRecord } from "../port/index.ts";

type SetOperation = Extract<Operation, { op: "set" }>;

/** A stamp as it was read. */
export interface StampRecord {
  readonly key: Key;
  readonly id: string;
  /** By the server's wall clock; absent for never. */
  readonly expiresAt?: number | undefined;
}

/** Of the cache as a whole. It and the epoch are no tag's: there is one of each. */
export const CACHE_STAMP = "c";
/** Of every invalidation of tags. */
export const EPOCH_STAMP = "e";
const TAG_PREFIX = "t";

/** Shortest life of a stamp: long enough that those of short entries are seldom armed anew. */
const SHORTEST_MS = 24 * 60 * 60_000;
/** Kept in hand for clocks that differ. Too little only costs a miss: an entry whose stamp is gone is absent. */
const MARGIN_MS = 60_000;

/** Whether entries that bear this stamp may stay, once it is another, for longer than is worth waiting for. */
export function outlasts(stamp: StoredRecord | undefined, wall: number): boolean {
  return stamp !== undefined && (stamp.expiresAt === undefined || stamp.expiresAt > wall + SHORTEST_MS + MARGIN_MS);
}

/** The name of a tag's stamp. */
export function tagStamp(tag: string): string {
  return TAG_PREFIX + tag;
}

export function isTagStamp(stamp: string): boolean {
  return stamp.startsWith(TAG_PREFIX);
}

/**
 * The stamps of one cache, as records in its store. Bounded: each has a ttl unless an entry that never ends bears it.
 */
export class StampRecords {
  readonly space: Space;
  readonly #instance: Instance;
  /** Told of each stamp that was read or written. */
  readonly #onUse: (name: string) => void;
  /** Those that are being made, and those that are being given a longer life. */
  readonly #making = new Set<string>();
  readonly #arming = new Set<string>();

  constructor(instance: Instance, service: string, name: string, onUse: (name: string) => void) {
    this.space = space("stamp", service, name);
    this.#instance = instance;
    this.#onUse = onUse;
  }

  /** The stamps as they are now; those that are missing are made. All reads go together. */
  read(names: readonly string[], call: Call): Promise<StampRecord[]> {
    return Promise.all(names.map((name) => this.#read(name, call)));
  }

  /** Operations that give stamps a new version: what bears the old one is absent from then on. */
  renewals(names: readonly string[]): SetOperation[] {
    return names.map((name) => this.#make(name));
  }

  /** Lets stamps live at least as long as an entry of `ttl` ms that bears them. A stamp that changed stays as it is. */
  async outlive(stamps: readonly StampRecord[], ttl: number, call: Call): Promise<void> {
    const needed = this.#instance.time.wall() + ttl + MARGIN_MS;
    const short = stamps.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt < needed);
    if (short.length === 0) return;
    // Twice as long as needed, so that not every write arms it.
    const life = ttl === Infinity ? undefined : Math.max(SHORTEST_MS, 2 * ttl + MARGIN_MS);
    await Promise.all(short.map(async (stamp) => this.#arm(stamp, needed, life, call)));
  }

  /** The names of the stamps that a record bears. */
  namesOf(stamps: ListedRecord["stamps"] = []): string[] {
    return stamps.map(({ key }) => key.slice(this.space.id.length));
  }

  /** The tags among them, in the order in which they were given. */
  tagsOf(stamps: ListedRecord["stamps"]): string[] {
    return this.namesOf(stamps)
      .filter(isTagStamp)
      .map((name) => name.slice(TAG_PREFIX.length));
  }

  #make(name: string): SetOperation {
    this.#onUse(name);
    return { op: "set", key: { space: this.space, key: name }, id: drawId(), value: "", ttl: SHORTEST_MS };
  }

  async #read(name: string, call: Call): Promise<StampRecord> {
    const key = { space: this.space, key: name };
    for (let looks = 2; looks > 0; looks--) {
      const found = recordOf(await this.#instance.execute({ ops: [{ op: "get", key }] }, call));
      if (found) {
        this.#onUse(name);
        return { key, id: found.id, expiresAt: found.expiresAt };
      }
      if (!this.#making.has(name)) break;
      // The second look comes behind the write that is under way, and all who look share it.
    }
    this.#making.add(name);
    try {
      return await this.#create(key, call);
    } finally {
      this.#making.delete(name);
    }
  }

  /** Gives a stamp a life of `life` ms, unless somebody here gives it one until `needed` meanwhile. */
  async #arm({ key, id }: StampRecord, needed: number, life: number | undefined, call: Call): Promise<void> {
    const name = key.key;
    while (this.#arming.has(name)) {
      // The look comes behind the write that is under way, and all who look share it.
      const found = recordOf(await this.#instance.execute({ ops: [{ op: "get", key, keyOnly: true }] }, call));
      if (found?.id !== id || found.expiresAt === undefined || found.expiresAt >= needed) return;
    }
    this.#arming.add(name);
    try {
      await this.#instance.execute({ ops: [{ op: "set", key, id, value: "", if: { id }, ttl: life }] }, call);
    } finally {
      this.#arming.delete(name);
    }
  }

  /** Makes a stamp that was missing; what somebody else has made meanwhile stays. */
  async #create(key: Key, call: Call): Promise<StampRecord> {
    const made = this.#make(key.key);
    const reply = await this.#instance.execute({ ops: [{ ...made, if: { absent: true } }] }, call);
    if (reply.ok) return { key, id: made.id, expiresAt: this.#instance.time.wall() + SHORTEST_MS };
    if (reply.why === "conflict" && reply.current) {
      return { key, id: reply.current.id, expiresAt: reply.current.expiresAt };
    }
    throw new UnavailableError("a stamp of the cache could not be made", { backend: this.#instance.backend.name });
  }
}

/** The record that a group of one `get` found. */
export function recordOf(reply: Reply): StoredRecord | undefined {
  return reply.ok ? (reply.results[0] as StoredRecord | undefined) : undefined;
}

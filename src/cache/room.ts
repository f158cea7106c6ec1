import type { Key, Space } from "../base/keys.ts";
import type { Call, Instance } from "../client/index.ts";
import type { Opened } from "../port/index.ts";
import { ProcessLimit } from "./process-limit.ts";
import { isTagStamp } from "./stamps.ts";

/** What a tier tells its cache of. */
export interface TierEvents {
  evicted(key: string): void;
  failed(operation: string, key: string | undefined, error: unknown): void;
}

/** Makes room in a cache whose data is in this process: what was not used for longest goes. Does nothing elsewhere. */
export class Room {
  readonly #instance: Instance;
  readonly #entries: Space;
  readonly #stamps: Space;
  readonly #maxItems: number;
  readonly #events: TierEvents;
  #limit: ProcessLimit | undefined;

  constructor(instance: Instance, entries: Space, stamps: Space, maxItems: number, events: TierEvents) {
    this.#instance = instance;
    this.#entries = entries;
    this.#stamps = stamps;
    this.#maxItems = maxItems;
    this.#events = events;
  }

  /** Whether the data is in this process. Not known before the backend is open. */
  get inProcess(): boolean {
    const { known } = this.#instance;
    return known !== undefined && isInProcess(known);
  }

  /** Opens the backend, and learns what is there already; at once where that is done. */
  ready(call: Call): Promise<void> | undefined {
    if (this.#limit || (this.#instance.known && !this.inProcess)) return undefined;
    return this.#learn(call);
  }

  /** When what was left of a deleted entry last made room, by `time.monotonic()`. */
  get forgotAt(): number {
    return this.#limit?.forgotAt ?? Number.NEGATIVE_INFINITY;
  }

  /** An entry was read. */
  used(key: string): void {
    if (this.#limit) void this.#evict(this.#limit.entries.use(key));
  }

  /** An entry was written. */
  wrote(key: string): void {
    this.#limit?.deleted.delete(key);
    this.used(key);
  }

  /** An entry was deleted, and has left a record that says so. */
  deleted(key: string): void {
    const limit = this.#limit;
    if (!limit) return;
    limit.entries.delete(key);
    const oldest = limit.deleted.use(key);
    if (oldest === undefined) return;
    limit.forgotAt = this.#instance.time.monotonic();
    void this.#discard({ space: this.#entries, key: oldest });
  }

  /** A stamp was read or written. */
  usedStamp(stamp: string): void {
    // Without the stamp of the cache every entry would be gone, so it is never the one that makes room.
    if (!this.#limit || !isTagStamp(stamp)) return;
    const oldest = this.#limit.stamps.use(stamp);
    if (oldest !== undefined) void this.#discard({ space: this.#stamps, key: oldest });
  }

  async #learn(call: Call): Promise<void> {
    if (!isInProcess(this.#instance.known ?? (await this.#instance.opened(call)))) return;
    this.#limit = await ProcessLimit.of(this.#instance, this.#entries, this.#stamps, this.#maxItems, call);
  }

  async #evict(key: string | undefined): Promise<void> {
    if (key !== undefined && (await this.#discard({ space: this.#entries, key }))) this.#events.evicted(key);
  }

  /** Whether there was something to discard. */
  async #discard(key: Key): Promise<boolean> {
    try {
      const reply = await this.#instance.execute({ ops: [{ op: "delete", key }] }, this.#instance.ownCall());
      return reply.ok && reply.results[0] === true;
    } catch (error) {
      this.#events.failed("evict", key.space === this.#entries ? key.key : undefined, error);
      return false;
    }
  }
}

/** Whether the data is in this process and worth bounding: Null keeps none. */
function isInProcess({ capabilities }: Opened): boolean {
  return capabilities.shared === "process" && capabilities.reads !== "eventual";
}

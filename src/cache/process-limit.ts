import type { Space } from "../base/keys.ts";
import type { Call, Instance } from "../client/index.ts";
import type { Backend } from "../port/index.ts";
import { WeakNames } from "../base/weak-names.ts";
import { isDeleted } from "./deleted.ts";
import { RecentKeys } from "./recent-keys.ts";
import { isTagStamp } from "./stamps.ts";

/** Tags that may be known for each entry that may be kept. */
const TAGS_PER_ENTRY = 10;
/** Keys of a page while the limit learns what is there already. */
const PAGE = 1000;

/**
 * Bounds what one cache keeps in this process, where the backend's data is in it. Entries, what is left of deleted
 * ones, and versions of tags are bounded apart, so that none of them crowds out another.
 */
export class ProcessLimit {
  readonly entries: RecentKeys;
  readonly deleted: RecentKeys;
  readonly stamps: RecentKeys;
  /** When what was left of a deleted entry last made room for another, by `time.monotonic()`. */
  forgotAt = Number.NEGATIVE_INFINITY;

  static readonly #limits = new WeakMap<Backend, Limits>();

  private constructor(max: number) {
    this.entries = new RecentKeys(max);
    this.deleted = new RecentKeys(max);
    this.stamps = new RecentKeys(max * TAGS_PER_ENTRY);
  }

  /** The limit of a cache on a backend: one for all its objects, whose first decides how much it is. */
  static of(instance: Instance, entries: Space, stamps: Space, max: number, call: Call): Promise<ProcessLimit> {
    let limits = ProcessLimit.#limits.get(instance.backend);
    if (!limits) ProcessLimit.#limits.set(instance.backend, (limits = new Limits()));
    return limits.get(entries.id, async () => ProcessLimit.#learn(instance, entries, stamps, max, call));
  }

  /** Data that is shared by name may hold entries of backends that are closed: they count too. */
  static async #learn(
    instance: Instance,
    entries: Space,
    stamps: Space,
    max: number,
    call: Call,
  ): Promise<ProcessLimit> {
    const limit = new ProcessLimit(max);
    // What cannot be listed counts from its next use on.
    if (!(await instance.opened(call)).capabilities.list) return limit;
    for (const space of [entries, stamps]) {
      let cursor: string | undefined;
      do {
        const page = await instance.page({ space, prefix: "", limit: PAGE, cursor, keysOnly: true }, call);
        for (const record of page.records) {
          const { key } = record;
          if (space === stamps && !isTagStamp(key)) continue;
          const keys = space === stamps ? limit.stamps : isDeleted(record) ? limit.deleted : limit.entries;
          const surplus = keys.use(key);
          if (surplus === undefined) continue;
          if (keys === limit.deleted) limit.forgotAt = instance.time.monotonic();
          await instance.execute({ ops: [{ op: "delete", key: { space, key: surplus } }] }, call);
        }
        ({ cursor } = page);
      } while (cursor !== undefined);
    }
    return limit;
  }
}

/** The limits of a backend's caches, by the space of their entries. One that no cache holds is learned anew. */
class Limits {
  readonly #known = new WeakNames<ProcessLimit>();
  readonly #learning = new Map<string, Promise<ProcessLimit>>();

  async get(id: string, learn: () => Promise<ProcessLimit>): Promise<ProcessLimit> {
    const known = this.#known.get(id);
    if (known) return known;
    let learning = this.#learning.get(id);
    if (!learning) {
      learning = learn().then((limit) => {
        this.#known.set(id, limit);
        return limit;
      });
      this.#learning.set(id, learning);
      // One that could not be learned is learned by the next call.
      const over = (): void => void this.#learning.delete(id);
      learning.then(over, over);
    }
    return learning;
  }
}

import type { LocalQueue } from "./queue.ts";

/** Spaces that are kept though nobody wants a lock in them: an application has a few. */
const leastSpaces = 64;

/** The local queues of one space, by key. */
export class Queues extends Map<string, LocalQueue> {
  /** Its space was forgotten while it was empty: who needs it asks for another. */
  gone = false;
}

/** The local queues of an instance. */
export class QueueSpaces {
  readonly #spaces = new Map<string, Queues>();
  #most = leastSpaces;

  /** How many spaces are remembered: those that are in use, and as many again or 64. */
  get size(): number {
    return this.#spaces.size;
  }

  /** Those of a space, made where there are none. */
  of(spaceId: string): Queues {
    let queues = this.#spaces.get(spaceId);
    if (!queues) {
      if (this.#spaces.size >= this.#most) this.#prune();
      this.#spaces.set(spaceId, (queues = new Queues()));
    }
    return queues;
  }

  /** Those of a space, if there are any. */
  find(spaceId: string): Queues | undefined {
    return this.#spaces.get(spaceId);
  }

  /** Every queue, for a loop that changes them. */
  toArray(): LocalQueue[] {
    return [...this.#spaces.values()].flatMap((queues) => [...queues.values()]);
  }

  #prune(): void {
    for (const [id, queues] of this.#spaces) {
      if (queues.size > 0) continue;
      queues.gone = true;
      this.#spaces.delete(id);
    }
    this.#most = Math.max(leastSpaces, 2 * this.#spaces.size);
  }
}

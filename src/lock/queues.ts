import type { Key } from "../base/keys.ts";
import type { LockHost } from "./host.ts";
import type { LocalQueue } from "./local-queue.ts";

/** How many spaces are kept even if no lock of them is in use: an application has a few. */
const leastSpaces = 64;

/** The local queues of one space, by key. */
export class Queues extends Map<string, LocalQueue> {
  /** Whether its space was forgotten while it was empty: ask {@link QueueSpaces} for another. */
  gone = false;
}

/** The local queues of one instance, by space and key. */
export class QueueSpaces {
  readonly #spaces = new Map<string, Queues>();
  #most = leastSpaces;

  static readonly #all = new WeakMap<LockHost, QueueSpaces>();

  static of(host: LockHost): QueueSpaces {
    let spaces = QueueSpaces.#all.get(host);
    if (!spaces) QueueSpaces.#all.set(host, (spaces = new QueueSpaces(host)));
    return spaces;
  }

  private constructor(host: LockHost) {
    host.draining.add(this);
  }

  /** How many spaces are kept: those in use, and as many again or 64. */
  get size(): number {
    return this.#spaces.size;
  }

  /** The queues of a space. */
  in(spaceId: string): Queues {
    let queues = this.#spaces.get(spaceId);
    if (!queues) {
      if (this.#spaces.size >= this.#most) this.#prune();
      this.#spaces.set(spaceId, (queues = new Queues()));
    }
    return queues;
  }

  /** The queue of a lock, if the lock is in use in this instance. */
  find({ space, key }: Key): LocalQueue | undefined {
    return this.#spaces.get(space.id)?.get(key);
  }

  /** The instance closes. */
  drain(): void {
    for (const queue of [...this.#spaces.values()].flatMap((queues) => [...queues.values()])) queue.close();
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

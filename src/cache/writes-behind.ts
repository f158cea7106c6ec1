import { UnavailableError } from "../base/errors.ts";
import type { Entry } from "./tier.ts";

/** Most entries that are on their way to the store at once. */
const MOST_SENT = 256;
/** Most entries that wait for their turn, but for those of one load that has more. */
const MOST_WAITING = 1_024;
/** Most bytes of values that wait, a character counted as one. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

interface HeldBack {
  readonly entries: readonly Entry[];
  readonly bytes: number;
  readonly start: () => void;
  readonly drop: () => void;
}

/**
 * Writes of a cache that no caller waits for. Each goes to the client before it returns, whose order of the calls on a
 * key it then has, or waits for its turn. At most 256 entries are on their way, each until the cache's timeout; at most
 * 1,024 of 16 MiB wait, or one load of more: beyond that the oldest are dropped, so a store that stalls costs memory
 * for so many and no more.
 */
export class WritesBehind {
  readonly #backend: string;
  readonly #waiting = new Set<HeldBack>();
  /** The last one that waits with a key. */
  readonly #byKey = new Map<string, HeldBack>();
  #sent = 0;
  #entries = 0;
  #bytes = 0;

  constructor(backend: string) {
    this.#backend = backend;
  }

  /** Runs `send`, now or later; what it comes to. Rejects with UnavailableError where the write was dropped. */
  run<T>(entries: readonly Entry[], send: () => Promise<T>): Promise<T> {
    if (this.#sent < MOST_SENT && this.#waiting.size === 0) return this.#send(entries.length, send);
    return new Promise<T>((resolve, reject) => {
      const write: HeldBack = {
        entries,
        bytes: entries.reduce((sum, { payload }) => sum + payload.length, 0),
        start: () => resolve(this.#send(entries.length, send)),
        drop: () =>
          reject(new UnavailableError("dropped: too many writes wait for the store", { backend: this.#backend })),
      };
      this.#add(write);
      const tooMany = (): boolean => this.#entries > MOST_WAITING || this.#bytes > MOST_WAITING_BYTES;
      while (this.#waiting.size > 1 && tooMany()) this.#takeOldest()?.drop();
    });
  }

  /** A call on `key` comes next: a write of it that waits goes before it. */
  flush(key: string): void {
    if (this.#waiting.size === 0) return;
    const write = this.#byKey.get(key);
    if (!write) return;
    this.#take(write);
    write.start();
  }

  async #send<T>(count: number, send: () => Promise<T>): Promise<T> {
    this.#sent += count;
    try {
      return await send();
    } finally {
      this.#sent -= count;
      while (this.#sent < MOST_SENT && this.#waiting.size > 0) this.#takeOldest()?.start();
    }
  }

  #add(write: HeldBack): void {
    this.#waiting.add(write);
    this.#entries += write.entries.length;
    this.#bytes += write.bytes;
    for (const { key } of write.entries) this.#byKey.set(key, write);
  }

  #take(write: HeldBack): void {
    this.#waiting.delete(write);
    this.#entries -= write.entries.length;
    this.#bytes -= write.bytes;
    for (const { key } of write.entries) if (this.#byKey.get(key) === write) this.#byKey.delete(key);
  }

  #takeOldest(): HeldBack | undefined {
    const [oldest] = this.#waiting;
    if (oldest) this.#take(oldest);
    return oldest;
  }
}

import type { StateStore } from "../entries/index.ts";
import { stopKey, stopPrefix, type StoppedKey } from "./layout.ts";

/** Stopped keys that are kept in memory, for each partition. */
const mostKept = 2_000;

/** The stopped keys of a partition: all of them in memory, or, where they are many, in the store. */
export class StoppedKeys {
  readonly #store: StateStore<unknown>;
  readonly #partition: number;
  readonly #keys = new Set<string>();
  #complete = true;

  private constructor(store: StateStore<unknown>, partition: number) {
    this.#store = store;
    this.#partition = partition;
  }

  /** Of a partition that has none yet. */
  static none(store: StateStore<unknown>, partition: number): StoppedKeys {
    return new StoppedKeys(store, partition);
  }

  static async load(store: StateStore<unknown>, partition: number): Promise<StoppedKeys> {
    const stopped = new StoppedKeys(store, partition);
    for await (const entry of store.list({ prefix: stopPrefix(partition) })) {
      stopped.add((entry.value as StoppedKey).key);
      if (!stopped.#complete) break;
    }
    return stopped;
  }

  add(key: string): void {
    if (this.#keys.size < mostKept) this.#keys.add(key);
    else this.#complete = false;
  }

  /** Whether the key is stopped; `undefined`: {@link ask}. */
  has(key: string): boolean | undefined {
    if (this.#keys.has(key)) return true;
    return this.#complete ? false : undefined;
  }

  async ask(key: string): Promise<boolean> {
    return (await this.#store.load(stopKey(this.#partition, key))) !== undefined;
  }
}

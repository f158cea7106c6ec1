import { delay } from "./delay.ts";
import { Fifo } from "./fifo.ts";
import { Stage, used, type Item } from "./item.ts";
import { markOf, type PartitionProgress, type Position } from "./progress.ts";

/** The items of a lane: which can be started, which wait for another of their key, which may not be forgotten yet. */
export class LaneQueue {
  /** Up to where it was fed. */
  fed: Position;
  /** No item follows for its pass. */
  fedAll = false;
  /** Those from the watermark on, in their order. */
  readonly #ahead = new Fifo<Item>();
  readonly #ready = new Fifo<Item>();
  /** The last waiting item of each key; an item's own chain leads to it. */
  readonly #tails = new Map<string, Item>();
  /** Aborts when items that wait to be tried again are not to be. */
  #waits = new AbortController();
  #open = 0;
  #chars = 0;

  constructor(from: Position) {
    this.fed = from;
  }

  /** Items that are not handled. */
  get open(): number {
    return this.#open;
  }

  /** Items that are not behind the watermark. */
  get span(): number {
    return this.#ahead.size;
  }

  /** Characters of items that are not committed. */
  get chars(): number {
    return this.#chars;
  }

  /** Whether all items of its pass are handled. */
  get through(): boolean {
    return this.fedAll && this.#open === 0;
  }

  /** Whether there is an item to start. */
  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  /** The next item to start, which stays. Only where there is one. */
  get first(): Item {
    return this.#ready.at(0);
  }

  /** Takes an item, in the order of the input; one that came to an end earlier is only remembered. */
  take(item: Item): void {
    this.#ahead.push(item);
    if (item.stage === Stage.committed) return;
    this.#chars += item.text?.length ?? 0;
    this.#enqueue(item);
  }

  /** The next item to start. Only where there is one. */
  shift(): Item {
    return this.#ready.shift();
  }

  /** An item is to be started once more: its key is still its own. */
  again(item: Item): void {
    this.#ready.push(item);
  }

  /** As {@link again}, after so many ms; calls `then` when it is so. */
  async later(item: Item, ms: number, then: () => void): Promise<void> {
    const { signal } = this.#waits;
    await delay(ms, signal);
    if (signal.aborted) return;
    this.again(item);
    then();
  }

  /** Nothing that waits is to be tried again. */
  halt(): void {
    this.#waits.abort();
  }

  /** An item was handled: the next one of its key can be started. */
  handled(item: Item): void {
    this.#open--;
    const { key, next } = item;
    if (next) {
      item.next = undefined;
      this.#ready.push(next);
    } else if (key !== undefined) this.#tails.delete(key);
  }

  /** Items were committed: what they hold can go. */
  committed(items: readonly Item[]): void {
    for (const item of items) {
      item.stage = Stage.committed;
      this.#chars -= item.text?.length ?? 0;
      item.text = undefined;
    }
    while (this.#ahead.first?.stage === Stage.committed) this.#ahead.shift();
  }

  /** Everything that is not committed is to be handled again, in its order. */
  restart(): void {
    this.#waits.abort();
    this.#waits = new AbortController();
    this.#tails.clear();
    this.#ready.clear();
    this.#open = 0;
    for (let i = 0; i < this.#ahead.size; i++) {
      const item = this.#ahead.at(i);
      if (item.stage === Stage.committed) continue;
      item.stage = Stage.open;
      item.next = undefined;
      item.value = used;
      this.#enqueue(item);
    }
  }

  /**
   * Watermark and ranges as they are once everything that was sent has committed; `before`: the ranges at the start.
   */
  mark(before: readonly number[]): Pick<PartitionProgress, "next" | "above" | "end"> {
    return { ...markOf(this.#ahead, ({ stage }) => stage >= Stage.sent, this.fed, before), end: this.through };
  }

  #enqueue(item: Item): void {
    this.#open++;
    const { key } = item;
    if (key !== undefined) {
      const tail = this.#tails.get(key);
      this.#tails.set(key, item);
      if (tail) {
        tail.next = item;
        return;
      }
    }
    this.#ready.push(item);
  }
}

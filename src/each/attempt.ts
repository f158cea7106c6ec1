import { isAway, isHoldfastError } from "../base/errors.ts";
import type { StateStore } from "../entries/index.ts";
import type { Ttl } from "../state/commit.ts";
import type { Item } from "./item.ts";
import type { CachedRecord } from "./records.ts";

/** A record that an attempt has read or written, and what it would leave in it. */
export interface Use {
  readonly record: CachedRecord;
  /** Its revision when it was read; -1 where it was only written. */
  seen: number;
  wrote: boolean;
  payload: string | Uint8Array | undefined;
  ttl: Ttl;
}

/** One call of a handler: what it has read, its writes until they are merged into a commit, and what went wrong. */
export class Attempt {
  readonly item: Item;
  readonly uses: Use[] = [];
  /** The only tag that its records may have, where it cannot commit others together. */
  readonly tag: string | undefined;
  /**
   * What the handler threw, or a call on `state` that failed: then the item cannot commit, even if the handler caught
   * it.
   */
  failure: unknown = undefined;
  /** Whether that was because the store could not be asked, which is no fault of the item. */
  away = false;
  /** It would fail again in the same way. */
  hopeless = false;
  /** What its handler does from now on counts for nothing. */
  over = false;
  /** Its time was over before the handler settled. */
  late: Error | undefined;
  /** Calls on `state` that are under way. */
  #calls = 0;
  #onSettled: (() => void) | undefined;

  constructor(item: Item, tag: string | undefined) {
    this.item = item;
    this.tag = tag;
  }

  /** Whether everything it read is still so, as far as this process knows. */
  isCurrent(): boolean {
    for (const { record, seen } of this.uses) {
      if (record.dropped || (seen >= 0 && record.revision !== seen)) return false;
    }
    return true;
  }

  /** What it has read or written of a record. */
  use(store: StateStore<unknown>, key: string): Use | undefined {
    for (const use of this.uses) if (use.record.key === key && use.record.store === store) return use;
    return undefined;
  }

  /** Holds a record until the attempt is over. */
  hold(use: Use): Use {
    use.record.pins++;
    this.uses.push(use);
    return use;
  }

  /** What it has left was merged, or counts for nothing. */
  release(): void {
    for (const { record } of this.uses) record.pins--;
  }

  /** Notes what went wrong, so that it counts even where the handler does not wait for the call. */
  fail(error: unknown): void {
    this.failure ??= error ?? new Error("a call on ctx.state failed without an error");
    if (isAway(error)) this.away = true;
    if (isHoldfastError(error, "UNSUPPORTED")) this.hopeless = true;
  }

  /** Counts a call on `state` until it has settled. If it fails, so does the item: nobody else needs to look at it. */
  track<T>(call: Promise<T>): Promise<T> {
    this.#calls++;
    call.then(
      () => this.#settled(),
      (error: unknown) => {
        this.fail(error);
        this.#settled();
      },
    );
    return call;
  }

  /** Calls back when no call on `state` is under way any more: at once, if there is none. */
  afterCalls(then: () => void): void {
    if (this.#calls === 0) then();
    else this.#onSettled = then;
  }

  #settled(): void {
    if (--this.#calls > 0) return;
    const then = this.#onSettled;
    this.#onSettled = undefined;
    then?.();
  }
}

import { joinSignals, type JoinedSignal } from "../base/aborts.ts";
import type { Duration } from "../base/durations.ts";
import { isAway, isHoldfastError } from "../base/errors.ts";
import type { Lease, StateStore, Verdict } from "../entries/index.ts";
import type { Ttl } from "../state/commit.ts";
import { RunState } from "./item-state.ts";
import type { Item } from "./item.ts";
import type { CachedRecord, Records, StoreRecords } from "./records.ts";

/** What a handler gets besides its item. */
export interface HandlerContext {
  /** The item's key; undefined where the job has no key field. */
  readonly key: string | undefined;
  /** The record number in the input, from 1. Blank lines and a CSV header are no records. */
  readonly id: number;
  /**
   * 1, and one more each time after the item failed, or may have been in hand when a worker was lost. Runs repeated because a
   * record was changed by another do not count.
   */
  readonly attempt: number;
  /**
   * Aborts when this worker lost the item to another one, or when the item's time is over (`itemTimeout`): what the handler
   * writes counts for nothing then.
   */
  readonly signal: AbortSignal;
  /** The lease that the item's writes commit under. Its fence rises with every change of hands. */
  readonly lease: Lease;
  /** The same for every run of this item, and no other's: for calls to the outside. */
  readonly idempotencyKey: string;
  /** The state store `name`, as this item sees it. */
  state<T = unknown>(name: string): ItemState<T>;
}

/**
 * A state store inside of a handler. Writes are held back: the item's own reads see them, everybody else's from the moment on
 * that they commit together, with the item's progress, exactly once. What was read is checked then; if another has changed
 * it, the handler runs again. A call that fails makes the item fail, also if the handler does not wait for it.
 */
export interface ItemState<T> {
  /** The value, a copy of the handler's own; undefined where there is none. */
  load(key: string): Promise<T | undefined>;
  /** The values that are there. */
  loadMany(keys: Iterable<string>): Promise<Map<string, T>>;
  /** Writes a value. `ttl` in ms or as a duration; without it the record does not expire. */
  save(key: string, value: T, options?: { readonly ttl?: Duration | undefined }): Promise<void>;
  /** Writes what `fn` makes of the value, keeping what remains of its ttl; a missing one stays missing. */
  update(key: string, fn: (current: T) => T | Verdict): Promise<T | undefined>;
  /** As `update`, but `fn` is also called, with undefined, where there is no value. */
  upsert(key: string, fn: (current: T | undefined) => T | Verdict): Promise<T | undefined>;
  /** Removes it; whether it was there. */
  delete(key: string): Promise<boolean>;
}

/** What runs of one worker share. */
export interface RunHost {
  readonly records: Records;
  readonly idPrefix: string;
  /** Whether runs may be cut off. */
  readonly cuts: boolean;
  store(name: string): StateStore<unknown>;
}

/** A record that a run has read or written, and what it would leave in it. */
export interface Use {
  readonly record: CachedRecord;
  /** Its revision when it was read; -1 where it was only written. */
  seen: number;
  wrote: boolean;
  payload: string | Uint8Array | undefined;
  ttl: Ttl;
}

/** One run of a handler: its context, what it has read, and its writes until they are merged into a batch. */
export class Run implements HandlerContext {
  readonly item: Item;
  readonly lease: Lease;
  readonly uses: Use[] = [];
  /** A call on `state` that failed: the item cannot commit, even if the handler has caught it. */
  failure: unknown = undefined;
  /** Whether that was because the store could not be asked, which is no fault of the item. */
  away = false;
  /** It would fail again in the same way. */
  hopeless = false;
  over = false;
  /** Its time was over before the handler settled. */
  late: Error | undefined;
  #cut: AbortController | undefined;
  #signal: JoinedSignal | undefined;
  /** The only tag that its records may have, where it cannot commit others together. */
  readonly tag: string | undefined;
  readonly #host: RunHost;
  /** Calls on `state` that are under way. */
  #calls = 0;
  #onSettled: (() => void) | undefined;

  constructor(item: Item, lease: Lease, host: RunHost, tag: string | undefined) {
    this.item = item;
    this.lease = lease;
    this.tag = tag;
    this.#host = host;
  }

  get key(): string | undefined {
    return this.item.key;
  }

  get id(): number {
    return this.item.id;
  }

  get attempt(): number {
    return this.item.failures + this.item.lost + 1;
  }

  get signal(): AbortSignal {
    if (!this.#host.cuts) return this.lease.signal;
    // Made where a handler asks for it: most do not.
    if (!this.#signal) {
      this.#cut = new AbortController();
      this.#signal = joinSignals(this.#cut.signal, this.lease.signal);
      if (this.late) this.#cut.abort(this.late);
    }
    return this.#signal.signal;
  }

  /** Its time is over: it commits nothing, and the handler is told. */
  cut(error: Error): void {
    this.late = error;
    this.#cut?.abort(error);
  }

  get idempotencyKey(): string {
    return `${this.#host.idPrefix}${this.item.id}`;
  }

  state<T = unknown>(name: string): ItemState<T> {
    const { records } = this.#host;
    return new RunState<T>(this, records, records.of(this.#host.store(name)));
  }

  /** Whether everything it read is still so, as far as this process knows. */
  isCurrent(): boolean {
    for (const { record, seen } of this.uses) {
      if (record.dropped || (seen >= 0 && record.revision !== seen)) return false;
    }
    return true;
  }

  /** Holds a record until the run is over. */
  hold(use: Use): Use {
    use.record.pins++;
    this.uses.push(use);
    return use;
  }

  /** The run is over, and what it has left was merged or counts for nothing. */
  release(): void {
    this.#signal?.end();
    for (const { record } of this.uses) record.pins--;
  }

  use(records: StoreRecords, key: string): Use | undefined {
    for (const use of this.uses) if (use.record.key === key && use.record.store === records.store) return use;
    return undefined;
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

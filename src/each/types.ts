import type { Duration } from "../base/durations.ts";
import type { Holdfast, Lease, Verdict } from "../entries/index.ts";
import type { FormatName } from "./input/formats.ts";
import type { BigIntegers } from "./input/numbers.ts";

/**
 * Handles one item. It runs at least once; what it writes through `ctx.state` takes effect exactly once. What it throws
 * or rejects with makes the item fail.
 */
export type Handler<Item = unknown> = (item: Item, ctx: HandlerContext) => unknown;

/** What a handler gets besides its item. */
export interface HandlerContext {
  /** The item's key; undefined where the job has no key field. */
  readonly key: string | undefined;
  /** The record number in the input, from 1. Blank lines and a CSV header are no records. */
  readonly id: number;
  /**
   * 1, and one more each time after the item failed, or may have been in hand when a worker was lost. Runs repeated
   * because a record was changed by another do not count.
   */
  readonly attempt: number;
  /**
   * Aborts when this worker lost the item to another one, or when the item's time is over (`itemTimeout`): what the
   * handler writes counts for nothing then.
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
 * A state store inside of a handler. Writes are held back: the item's own reads see them, everybody else's from the
 * moment on that they commit together, with the item's progress, exactly once. What was read is checked then; if
 * another has changed it, the handler runs again. A call that fails makes the item fail, also if the handler does not
 * wait for it.
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

/** What becomes of later items of a key when one failed for good. */
export type OnDead = "stop-key" | "continue";

/** Options of `each`. */
export interface EachOptions {
  /**
   * Where state and progress are kept: a URL, or an instance (for a handler that is a function). Default:
   * `"file:./.holdfast"`.
   */
  readonly store?: string | Holdfast | undefined;
  /**
   * Names the progress. The same store, job and input are the same work. Default: made of the names of input and
   * handler.
   */
  readonly job?: string | undefined;
  /** The field of an item that is its key. Items of one key commit one after the other, in the order of the input. */
  readonly key?: string | undefined;
  /**
   * Default: by the input's extension, `csv` for `.csv` and `.tsv`, also before `.gz` or `.zst`, else `jsonl`.
   */
  readonly format?: FormatName | undefined;
  /**
   * What parts the fields of CSV: one character of ASCII. Default: a tab for `.tsv`, else a comma; an input that looks
   * like another one is refused then.
   */
  readonly delimiter?: string | undefined;
  /**
   * What the text of the input is written in: a name that `TextDecoder` knows, such as `"windows-1252"`. Default: by
   * the mark at the input's start, else UTF-8, and an input is refused that has a line which is not; with `"utf-8"`
   * such a line is a dead letter.
   */
  readonly encoding?: string | undefined;
  /**
   * What integers of JSON beyond 2^53 - 1 arrive as, which a number cannot hold: their digits, or a BigInt. Others
   * remain numbers. Default: an input that has one is refused.
   */
  readonly bigIntegers?: BigIntegers | undefined;
  /** Worker processes, for a handler that is a module. Default: one a core, at most 4; 0 runs in this process. */
  readonly processes?: number | undefined;
  /** Handlers that run at the same time in a process. Default: 32. */
  readonly concurrency?: number | undefined;
  /**
   * How often an item is tried again that failed; and, at least once, one that cost its worker while it ran alone.
   * Default: 3.
   */
  readonly retries?: number | undefined;
  /** Wait before the first retry; doubled each time, at most a minute. Default: `"1s"`. */
  readonly backoff?: Duration | undefined;
  /** Default: `"stop-key"`: later items of the key wait until `retryDead`. */
  readonly onDead?: OnDead | undefined;
  /** Where to write the dead letters at the end, one JSON value a line. Default: nowhere; they are in the store. */
  readonly deadLetter?: string | URL | undefined;
  /** Tries dead letters again, and goes on with what waits behind them. Default: false. */
  readonly retryDead?: boolean | undefined;
  /** How long a store that is away is waited for. Default: `"60s"`. */
  readonly storeTimeout?: Duration | undefined;
  /**
   * How long a worker that has died or stands still keeps its partitions. A handler must not block the process for
   * longer. Default: `"10s"`.
   */
  readonly leaseTtl?: Duration | undefined;
  /**
   * How long a handler may take to settle: after that the item's `ctx.signal` aborts and it has failed, whatever the
   * handler does yet. It cannot end one that blocks the process. Default: for ever.
   */
  readonly itemTimeout?: Duration | undefined;
  /** Parts of the work, at least as many as workers of all machines; fixed when the job is made. Default: 32. */
  readonly partitions?: number | undefined;
  /** Where the standard output of worker processes goes. Default: `"inherit"`, to this process's own. */
  readonly stdout?: "inherit" | "stderr" | undefined;
  /** Ends the run as an interrupt does: items in hand are finished and committed. */
  readonly signal?: AbortSignal | undefined;
}

/** What a run came to. */
export interface EachSummary {
  readonly job: string;
  /**
   * `done`: every item was handled. `dead`: all came to an end, some as dead letters. `interrupted`: run it again to go
   * on.
   */
  readonly outcome: "done" | "dead" | "interrupted";
  /** Items handled, of all runs of this job. */
  readonly done: number;
  /** Dead letters, as they are now. */
  readonly dead: number;
  /** Items that wait behind a dead letter of their key. */
  readonly waiting: number;
  /** Items that came to an end in this run, by these workers. */
  readonly processed: number;
  /** Handlers that ran again because a record that they read was changed by another. */
  readonly conflicts: number;
  /** Late commits of workers that had lost their lease; the store refused them. */
  readonly fenced: number;
  /** Worker processes that ended unexpectedly and were started again. */
  readonly restarts: number;
  /** What the store cannot promise, in words; absent where commits are exactly once. */
  readonly caveat?: string;
  readonly durationMs: number;
}

/** Something that happened in a run. Partitions are numbers from 0. */
export type EachEvent =
  | { readonly type: "started"; readonly worker: number; readonly pid: number }
  | { readonly type: "exited"; readonly worker: number; readonly pid: number; readonly how: string }
  | { readonly type: "taken"; readonly worker: number; readonly partition: number; readonly fence: string }
  | { readonly type: "given"; readonly worker: number; readonly partition: number }
  | { readonly type: "lost"; readonly worker: number; readonly partition: number; readonly why: string }
  | { readonly type: "finished"; readonly worker: number; readonly partition: number }
  | {
      readonly type: "fenced";
      readonly worker: number;
      readonly partition: number;
      readonly fence: string;
      readonly items: number;
    }
  | { readonly type: "conflict"; readonly worker: number; readonly partition: number; readonly items: number }
  | {
      readonly type: "dead";
      readonly worker: number;
      readonly id: number;
      readonly key?: string;
      readonly error: string;
    }
  | { readonly type: "away"; readonly worker: number; readonly error: string }
  | { readonly type: "back"; readonly worker: number }
  | { readonly type: "progress"; readonly progress: EachProgress };

/** How far a run is. */
export interface EachProgress {
  /** Items that came to an end, of all runs of this job as far as these workers know. */
  readonly processed: number;
  /** Part of the input that was passed, 0 to 1. */
  readonly part: number;
  readonly dead: number;
  readonly waiting: number;
  readonly workers: readonly WorkerProgress[];
}

/** What one worker is at. */
export interface WorkerProgress {
  readonly worker: number;
  readonly pid: number;
  readonly processed: number;
  /** Partitions it holds. */
  readonly partitions: readonly number[];
  /** Handlers that run. */
  readonly running: number;
}

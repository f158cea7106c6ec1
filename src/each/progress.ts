import { CorruptValueError } from "../base/errors.ts";
import type { Fifo } from "./fifo.ts";

/** A place between two records of the input. */
export interface Position {
  /** Number of the record that starts here; the first is 1. */
  readonly id: number;
  /** Where it starts, in bytes. */
  readonly offset: number;
}

/** How many items of a partition came to which end. */
export interface Counts {
  /** Handled, with all their writes. */
  readonly done: number;
  /** Failed for good, and recorded as dead letters. */
  readonly dead: number;
  /** Passed over: they wait behind a dead letter of their key. */
  readonly waiting: number;
}

/** No items at all. */
export const noCounts: Counts = { done: 0, dead: 0, waiting: 0 };

/**
 * Who works on a partition. Stored from before its first handler starts until the partition is given up in good order.
 */
export interface Hold {
  /** Which process of which run. */
  readonly by: string;
  /** The process, as labels name it: see `identity`. */
  readonly who: string;
  /** What it may be running: pairs of record number and attempt. Absent: anything. */
  readonly hand?: readonly number[];
  /** It runs nothing else. */
  readonly alone?: true;
}

/** An item that was in the hand of a worker that was lost. It runs alone from then on. */
export interface Suspect {
  readonly id: number;
  /** Its attempts that failed or were lost. */
  readonly attempts: number;
  /** How often a worker was lost that ran nothing else. */
  readonly alone: number;
  /** What is known of the last time. */
  readonly why?: string;
}

/** What the workers that were lost leave to whoever takes the partition. */
export interface Losses {
  /** Workers lost in a row of which nobody knows what they were running. */
  readonly lost?: number;
  readonly suspects?: readonly Suspect[];
}

/** What is stored of a partition, in one record of bounded size. */
export interface PartitionProgress extends Losses {
  /** The watermark: every item of the partition before it has come to an end. */
  readonly next: Position;
  /** Ended items above the watermark: pairs of first and last record number, in ascending order. */
  readonly above: readonly number[];
  /** The whole input was passed. */
  readonly end: boolean;
  readonly counts: Counts;
  /** The last round of retries that this partition has been through. */
  readonly round: number;
  /** Who works on it. If that is there when another one takes it, the worker was lost. */
  readonly hold?: Hold;
}

/** Adds two counts. */
export function addCounts(a: Counts, b: Counts): Counts {
  return { done: a.done + b.done, dead: a.dead + b.dead, waiting: a.waiting + b.waiting };
}

/** Checks what was loaded; a record that is none of ours must not be taken for progress. */
export function checkProgress(value: unknown, key: string): PartitionProgress {
  const found = value as Partial<PartitionProgress> | null;
  if (typeof found !== "object" || found === null || !found.next || !Array.isArray(found.above) || !found.counts) {
    throw new CorruptValueError("the progress of a partition cannot be read", { key });
  }
  return found as PartitionProgress;
}

/** Whether nothing of a partition is left to do, in the rounds of retries that were asked for. */
export function isFinished({ end, round }: PartitionProgress, job: { readonly round: number }): boolean {
  return end && round >= job.round;
}

/** Answers, for ascending record numbers, whether one lies in stored ranges. */
export class RangeReader {
  readonly #ranges: readonly number[];
  #at = 0;

  constructor(ranges: readonly number[]) {
    this.#ranges = ranges;
  }

  /** Whether `id` is in a range. Must not be asked for a smaller one than before. */
  has(id: number): boolean {
    const ranges = this.#ranges;
    while (this.#at < ranges.length && (ranges[this.#at + 1] as number) < id) this.#at += 2;
    return this.#at < ranges.length && (ranges[this.#at] as number) <= id;
  }
}

/** What of the ranges is at or after record number `id`. */
function rangesFrom(ranges: readonly number[], id: number): number[] {
  const rest: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const last = ranges[i + 1] as number;
    if (last >= id) rest.push(Math.max(ranges[i] as number, id), last);
  }
  return rest;
}

/**
 * The watermark of a partition and the ranges above it, by its items in their order from the last watermark on. `ended`
 * tells which of them came to an end. `fed` is the place up to which the partition was fed, `before` the ranges that it
 * had at first: those above `fed` still hold.
 *
 * A range spans from one ended item to the last before the next open one: items between that are of other partitions do
 * not matter. So there are at most as many ranges as open items.
 */
export function markOf<T extends Position>(
  items: Pick<Fifo<T>, "size" | "at">,
  ended: (item: T) => boolean,
  fed: Position,
  before: readonly number[],
): Pick<PartitionProgress, "next" | "above"> {
  const above: number[] = [];
  let next: Position | undefined;
  let first = 0;
  let last = 0;
  for (let i = 0; i < items.size; i++) {
    const item = items.at(i);
    if (ended(item)) {
      if (first === 0) first = item.id;
      last = item.id;
    } else {
      next ??= { id: item.id, offset: item.offset };
      if (first !== 0 && first > next.id) above.push(first, last);
      first = 0;
    }
  }
  if (next && first !== 0) above.push(first, last);
  above.push(...rangesFrom(before, fed.id));
  return { next: next ?? fed, above };
}

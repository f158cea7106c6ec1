import type { Outcome } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import type { Task } from "./call.ts";
import { CellView, needsRead } from "./cell-view.ts";
import type { ObservedLocks } from "./observed-locks.ts";
import { failureOf } from "./store-error.ts";
import type { Cell, Transaction } from "./store.ts";

/** Groups that are decided on one view and committed together: one group, or those of one cell. */
export class Attempt {
  readonly first: Task;
  /** Those that are decided together, {@link first} among them unless it needs another read. */
  tasks: Task[];
  /** Whether it holds its cells, so that no other attempt of this process changes them meanwhile. */
  held: boolean;

  constructor(first: Task, held: boolean) {
    this.first = first;
    this.tasks = [first];
    this.held = held;
  }

  get writes(): boolean {
    return this.first.writes;
  }

  /** The latest deadline of its groups. */
  get deadline(): number {
    return this.tasks.reduce((end, { deadline }) => Math.max(end, deadline), 0);
  }

  /** What it is about. */
  get cells(): readonly string[] {
    const { cells } = this.first;
    if (this.tasks.every(({ more }) => more.length === 0)) return cells;
    return [...new Set([...cells, ...this.tasks.flatMap(({ more }) => more)])];
  }
}

/** Cells, and the time they are decided at; `guessed` ones come from memory, and the time may be unknown. */
export interface Moment {
  readonly cells: ReadonlyMap<string, Cell | undefined>;
  readonly now: number | undefined;
  /** Where the store has no clock. */
  readonly observed: ObservedLocks | undefined;
  readonly guessed: boolean;
}

/** An attempt that is decided. */
export interface Decided {
  readonly attempt: Attempt;
  readonly view: CellView;
  readonly outcomes: readonly { readonly task: Task; readonly outcome: Outcome }[];
}

/** An attempt that is to be committed. */
export interface Prepared extends Decided {
  readonly transaction: Transaction;
  /** Of its contents. */
  readonly bytes: number;
}

/**
 * Decides the groups of an attempt that somebody still waits for, at `mono` of the monotonic clock. Undefined where
 * what is known does not suffice. A group whose stamps were not read goes to `again`.
 */
export function decideAll(
  attempt: Attempt,
  { cells, now, observed, guessed }: Moment,
  { mono, backend, again }: { readonly mono: number; readonly backend: string; again(tasks: readonly Task[]): void },
): Decided | undefined {
  const own = new Map<string, Cell | undefined>();
  for (const key of attempt.cells) if (cells.has(key)) own.set(key, cells.get(key));
  const view = new CellView(own, now, observed);
  const outcomes: { task: Task; outcome: Outcome }[] = [];
  const later = new Set<Task>();
  // Those that let others go on come first.
  if (attempt.tasks.length > 1) attempt.tasks.sort((a, b) => Number(b.urgent) - Number(a.urgent));
  for (const task of attempt.tasks) {
    if (!task.isWanted(mono)) continue;
    try {
      outcomes.push({ task, outcome: decide(view, task.group, task.session) });
    } catch (error) {
      if (error !== needsRead) task.fail(failureOf(error, backend), false);
      else if (guessed) return undefined;
      else {
        task.more = [...view.missing];
        view.missing.clear();
        later.add(task);
      }
    }
  }
  if (later.size > 0) {
    attempt.tasks = attempt.tasks.filter((task) => !later.has(task));
    again([...later]);
  }
  return guessed && !view.hasChanged && outcomes.length > 0 ? undefined : { attempt, view, outcomes };
}

/** The latest deadline of several attempts. */
export function latest(attempts: readonly Attempt[]): number {
  return Math.max(...attempts.map(({ deadline }) => deadline));
}

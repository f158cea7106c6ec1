import type { Task } from "../common/call.ts";
import type { Lane } from "./client.ts";
import type { Context } from "./context.ts";
import { failureOf, mayHaveWritten, passes } from "./failures.ts";
import { waysOf } from "./plan.ts";
import { readGroups } from "./reads.ts";
import { Singles } from "./singles.ts";
import { SqlError } from "./client.ts";
import { transact } from "./transaction.ts";
import { writeSets } from "./writes.ts";

/** Most groups of a statement or a transaction. */
const mostTogether = 512;

/** Runs the groups of a call, each the way it goes, all ways at once. */
export class Batches {
  readonly #context: Context;
  readonly #singles: Singles;

  constructor(context: Context) {
    this.#context = context;
    this.#singles = new Singles(context);
  }

  /** Each task ends by its outcome. */
  run(tasks: readonly Task[]): void {
    const { reads, sets, renewals, decided } = waysOf(tasks);
    for (const some of parted(reads)) void this.#read(some);
    for (const some of parted(sets)) void this.#set(some);
    for (const some of parted(renewals)) void this.#decide(some, "renewals");
    for (const some of parted(decided)) void this.#decide(some, "calls");
  }

  async #read(tasks: readonly Task[]): Promise<void> {
    try {
      await readGroups(this.#context, tasks);
    } catch (error) {
      // One that the server cannot read is none of the others' trouble.
      if (isRefused(error) && tasks.length > 1) for (const task of tasks) void this.#read([task]);
      else this.#fail(tasks, error);
    }
  }

  async #set(tasks: readonly Task[]): Promise<void> {
    try {
      await writeSets(this.#context, tasks);
    } catch (error) {
      if (!passes(error) && !(isRefused(error) && tasks.length > 1)) return this.#fail(tasks, error);
      for (const task of tasks) task.sent = false;
      await this.#decide(tasks, "calls");
    }
  }

  async #decide(tasks: readonly Task[], lane: Lane): Promise<void> {
    try {
      this.#singles.add(await transact(this.#context, tasks, { lane, skip: true }), lane);
    } catch (error) {
      if (!passes(error) && !(isRefused(error) && tasks.length > 1)) return this.#fail(tasks, error);
      for (const task of tasks) task.sent = false;
      this.#singles.add(tasks, lane);
    }
  }

  #fail(tasks: readonly Task[], error: unknown): void {
    const told = failureOf(error, this.#context.name);
    for (const task of tasks) task.fail(told, task.sent && mayHaveWritten(error));
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof SqlError && error.failure === "refused";
}

function* parted(tasks: readonly Task[]): Generator<readonly Task[]> {
  for (let i = 0; i < tasks.length; i += mostTogether) yield tasks.slice(i, i + mostTogether);
}

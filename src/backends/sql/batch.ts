import { keyId } from "../../base/keys.ts";
import { pauseFor } from "../../base/time.ts";
import type { Task } from "../common/call.ts";
import { SqlError, type Lane } from "./client.ts";
import type { Context } from "./context.ts";
import { failureBy, mayHaveWritten, passes } from "./failures.ts";
import { Flow } from "./flow.ts";
import { Looks } from "./looks.ts";
import { waysOf } from "./plan.ts";
import { readGroups } from "./reads.ts";
import { Singles } from "./singles.ts";
import { transact } from "./transaction.ts";
import { writeSets } from "./writes.ts";

/**
 * How many requests of a way are under way at once. Sets are one round trip, so more of them keep the server at work
 * while replies are read here; groups that are decided hold their rows for two, and larger batches of them do more.
 */
const atOnce = { looks: 1, reads: 4, sets: 4, renewals: 1, decided: 2 };

/** The pause before a read is tried again that the server could not make for others' writes, in ms. */
const readPauseMs = 5;

/** Runs groups, each the way it goes: see `waysOf`. */
export class Batches {
  readonly #context: Context;
  readonly #singles: Singles;
  readonly #looks: Looks;
  readonly #looking = new Flow(atOnce.looks, async (tasks) => this.#look(tasks));
  readonly #reads = new Flow(atOnce.reads, async (tasks) => this.#read(tasks));
  readonly #sets = new Flow(atOnce.sets, async (tasks) => this.#set(tasks), keysOf);
  readonly #renewals = new Flow(atOnce.renewals, async (tasks) => this.#decide(tasks, "renewals"));
  readonly #decided = new Flow(atOnce.decided, async (tasks) => this.#decide(tasks, "calls"));

  constructor(context: Context) {
    this.#context = context;
    this.#singles = new Singles(context);
    this.#looks = new Looks(context);
  }

  /** Each task ends by its outcome. */
  run(tasks: readonly Task[]): void {
    const looking = tasks.filter((task) => this.#looks.mayAnswer(task));
    if (looking.length > 0) this.#looking.enter(looking);
    const others = looking.length === 0 ? tasks : tasks.filter((task) => !looking.includes(task));
    const { reads, sets, renewals, decided } = waysOf(others);
    if (reads.length > 0) this.#reads.enter(reads);
    if (sets.length > 0) this.#sets.enter(sets);
    if (renewals.length > 0) this.#renewals.enter(renewals);
    if (decided.length > 0) this.#decided.enter(decided);
  }

  async #look(tasks: readonly Task[]): Promise<void> {
    try {
      const left = await this.#looks.run(tasks);
      if (left.length > 0) this.#decided.enter(left);
    } catch (error) {
      if (passes(error)) this.#decided.enter(tasks);
      else this.#fail(tasks, error);
    }
  }

  async #read(tasks: readonly Task[]): Promise<void> {
    try {
      await readGroups(this.#context, tasks);
    } catch (error) {
      if (passes(error)) {
        await this.#pause();
        const left = tasks.filter(({ outcome }) => !outcome);
        if (left.length > 0) await this.#read(left);
      } else if (isRefused(error) && tasks.length > 1) {
        // What the server cannot read is none of the others' trouble.
        for (const task of tasks) await this.#read([task]);
      } else this.#fail(tasks, error);
    }
  }

  async #set(tasks: readonly Task[]): Promise<void> {
    try {
      await writeSets(this.#context, tasks);
    } catch (error) {
      if (!goesAgain(error, tasks)) return this.#fail(tasks, error);
      for (const task of tasks) task.sent = false;
      this.#decided.enter(tasks);
    }
  }

  async #decide(tasks: readonly Task[], lane: Lane): Promise<void> {
    try {
      this.#singles.add(await transact(this.#context, tasks, { lane, skip: true, renews: false }), lane);
    } catch (error) {
      if (!goesAgain(error, tasks)) return this.#fail(tasks, error);
      for (const task of tasks) task.sent = false;
      if (tasks.length === 1) return this.#singles.add(tasks, lane);
      // One of them is in the way: a key that somebody else is about to insert, say. Most are apart from it soon.
      const half = Math.ceil(tasks.length / 2);
      await Promise.all([this.#decide(tasks.slice(0, half), lane), this.#decide(tasks.slice(half), lane)]);
    }
  }

  async #pause(): Promise<void> {
    await pauseFor(this.#context.time, readPauseMs);
  }

  #fail(tasks: readonly Task[], error: unknown): void {
    for (const task of tasks) task.fail(failureBy(task, error, this.#context), task.sent && mayHaveWritten(error));
  }
}

/** Whether groups that failed together may fare better otherwise. */
function goesAgain(error: unknown, tasks: readonly Task[]): boolean {
  return passes(error) || (isRefused(error) && tasks.length > 1);
}

function isRefused(error: unknown): boolean {
  return error instanceof SqlError && error.failure === "refused";
}

function keysOf({ group }: Task): readonly string[] {
  return group.ops.map((op) => keyId("key" in op ? op.key : op.lock));
}

import type { Task } from "../common/call.ts";
import { lateError } from "../common/failures.ts";
import type { Lane } from "./client.ts";
import type { Context } from "./context.ts";
import { failureOf, mayHaveWritten, passes } from "./failures.ts";
import { planOf } from "./plan.ts";
import { transact } from "./transaction.ts";

/** How many groups are tried at once, so that those that wait for a row leave connections to all others. */
const mostAtOnce = 2;
/** The longest pause before the next try, in ms: of who lets others go on, and of who asks for something. */
const longestPause = { urgent: 4, other: 50 };

interface Single {
  readonly task: Task;
  readonly lane: Lane;
  readonly rows: readonly string[];
  readonly urgent: boolean;
  tries: number;
}

/** Groups whose rows others had locked: each is tried by itself, again and again until its deadline. */
export class Singles {
  readonly #context: Context;
  /** Those that wait for their turn, not for a pause. */
  #waiting: Single[] = [];
  readonly #running = new Set<Single>();

  constructor(context: Context) {
    this.#context = context;
  }

  add(tasks: readonly Task[], lane: Lane): void {
    for (const task of tasks) {
      if (task.outcome) continue;
      const { records, locks, floors } = planOf([task.group]);
      const rows = [...records.keys(), ...locks.keys(), ...floors.keys()];
      const urgent = task.group.ops.some(({ op }) => op === "release" || op === "extend" || op === "steal");
      this.#enter({ task, lane, rows, urgent, tries: 0 });
    }
  }

  #enter(single: Single): void {
    this.#waiting.push(single);
    this.#next();
  }

  /** Groups of this process that want the same row go one after the other. */
  #next(): void {
    while (this.#running.size < mostAtOnce) {
      const taken = new Set([...this.#running].flatMap(({ rows }) => rows));
      const free = (single: Single): boolean => single.rows.every((row) => !taken.has(row));
      const next = this.#waiting.find((single) => single.urgent && free(single)) ?? this.#waiting.find(free);
      if (!next) return;
      this.#waiting = this.#waiting.filter((single) => single !== next && !single.task.outcome);
      if (next.task.outcome) continue;
      this.#running.add(next);
      void this.#run(next);
    }
  }

  async #run(single: Single): Promise<void> {
    const { task, lane } = single;
    const { name, time } = this.#context;
    try {
      // A lane of few connections is nothing to wait on.
      await transact(this.#context, [task], { lane, skip: lane === "renewals", renews: true });
    } catch (error) {
      if (passes(error)) task.sent = false;
      else task.fail(failureOf(error, name), task.sent && mayHaveWritten(error));
    }
    this.#running.delete(single);
    this.#next();
    if (task.outcome) return;
    const pause = this.#pauseMs(single);
    if (time.monotonic() + pause >= task.deadline) return task.fail(lateError(name), false);
    single.tries++;
    time.after(pause, () => this.#enter(single), { ref: true });
  }

  /** Random, so that those who met do not meet again. */
  #pauseMs({ urgent, tries }: Single): number {
    return Math.random() * Math.min(2 ** Math.min(tries, 8), urgent ? longestPause.urgent : longestPause.other);
  }
}

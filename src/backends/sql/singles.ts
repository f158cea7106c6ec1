import type { Task } from "../common/call.ts";
import type { Lane } from "./client.ts";
import type { Context } from "./context.ts";
import { failureBy, mayHaveWritten, passes } from "./failures.ts";
import { planOf } from "./plan.ts";
import { transact } from "./transaction.ts";

/** How many groups are tried at once, so that those that wait for a row leave connections to all others. */
const mostAtOnce = 2;
/** The longest pause before the next try, in ms; and that of who lets others go on, at first. */
const longestPause = 50;
const urgentPause = 4;
const urgentTries = 8;

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
  #waiting: Single[] = [];
  #running = 0;
  /**
   * Rows of those that are tried, or pause because somebody else has a row of theirs. Groups of this process that want
   * the same row go one after the other, so a row that is locked for long is asked for by one of them at a time.
   */
  readonly #taken = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  add(tasks: readonly Task[], lane: Lane): void {
    for (const task of tasks) {
      if (task.outcome) continue;
      const { records, locks, floors } = planOf([task.group]);
      // Records and floors have the same keys.
      const rows = [...records.keys(), ...locks.keys(), ...[...floors.keys()].map((id) => `floor ${id}`)];
      const urgent = task.group.ops.some(({ op }) => op === "release" || op === "extend" || op === "steal");
      this.#waiting.push({ task, lane, rows, urgent, tries: 0 });
    }
    this.#next();
  }

  #next(): void {
    this.#waiting = this.#waiting.filter(({ task }) => !task.outcome);
    while (this.#running < mostAtOnce) {
      const free = ({ rows }: Single): boolean => rows.every((row) => !this.#taken.has(row));
      const next = this.#waiting.find((single) => single.urgent && free(single)) ?? this.#waiting.find(free);
      if (!next) return;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#running++;
      for (const row of next.rows) this.#taken.add(row);
      void this.#run(next);
    }
  }

  async #run(single: Single): Promise<void> {
    const { task, lane } = single;
    const { time } = this.#context;
    try {
      // A lane of few connections is nothing to wait on.
      await transact(this.#context, [task], { lane, skip: lane === "renewals", renews: true });
    } catch (error) {
      if (passes(error)) task.sent = false;
      else task.fail(failureBy(task, error, this.#context), task.sent && mayHaveWritten(error));
    }
    this.#running--;
    if (task.outcome) this.#leave(single);
    else time.after(this.#pauseMs(single), () => this.#again(single), { ref: true });
    this.#next();
  }

  #again(single: Single): void {
    single.tries++;
    this.#waiting.push(single);
    this.#leave(single);
    this.#next();
  }

  #leave({ rows }: Single): void {
    for (const row of rows) this.#taken.delete(row);
  }

  /** Random, so that those who met do not meet again. */
  #pauseMs({ urgent, tries }: Single): number {
    return (
      Math.random() * Math.min(2 ** Math.min(tries, 8), urgent && tries < urgentTries ? urgentPause : longestPause)
    );
  }
}

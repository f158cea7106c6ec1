import type { Task } from "../common/call.ts";

/** Most groups of a statement or a transaction. */
const mostTogether = 512;

/**
 * Groups that go one way: a few requests at once, and whoever comes meanwhile goes together with the next one. So the
 * busier a server is, the more groups share a round trip and a commit.
 */
export class Flow {
  readonly #mostAtOnce: number;
  readonly #run: (tasks: readonly Task[]) => Promise<void>;
  readonly #keysOf: ((task: Task) => readonly string[]) | undefined;
  #waiting: Task[] = [];
  #running = 0;
  /** With so many that wait it is worth a look at which of them have ended. */
  #pruneFrom = mostTogether;

  /**
   * `run` sees to it that each task ends, and never rejects. With `keysOf` no two tasks that share a key go together.
   */
  constructor(
    mostAtOnce: number,
    run: (tasks: readonly Task[]) => Promise<void>,
    keysOf?: (task: Task) => readonly string[],
  ) {
    this.#mostAtOnce = mostAtOnce;
    this.#run = run;
    this.#keysOf = keysOf;
  }

  enter(tasks: readonly Task[]): void {
    for (const task of tasks) this.#waiting.push(task);
    this.#next();
    if (this.#waiting.length < this.#pruneFrom) return;
    this.#waiting = this.#waiting.filter(({ outcome }) => !outcome);
    this.#pruneFrom = Math.max(mostTogether, 2 * this.#waiting.length);
  }

  #next(): void {
    while (this.#running < this.#mostAtOnce && this.#waiting.length > 0) {
      const tasks = this.#take();
      if (tasks.length === 0) return;
      this.#running++;
      void this.#run(tasks).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  #take(): readonly Task[] {
    const some = this.#waiting.splice(0, mostTogether).filter(({ outcome }) => !outcome);
    if (!this.#keysOf) return some;
    const taken = new Set<string>();
    const later: Task[] = [];
    const now = some.filter((task) => {
      const keys = this.#keysOf?.(task) ?? [];
      if (keys.some((key) => taken.has(key))) {
        later.push(task);
        return false;
      }
      for (const key of keys) taken.add(key);
      return true;
    });
    if (later.length > 0) this.#waiting = [...later, ...this.#waiting];
    return now;
  }
}

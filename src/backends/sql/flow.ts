import type { Task } from "../common/call.ts";

/** Most groups of a statement or a transaction. */
const mostTogether = 512;
/** Most characters or bytes of values that are written together; one value may have more. */
const mostValues = 4 * 1024 * 1024;

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

  /** As many as go together. */
  #first(): Task[] {
    let [count, size] = [0, 0];
    for (const task of this.#waiting) {
      size += sizeOf(task);
      if (count === mostTogether || (size > mostValues && count > 0)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #take(): readonly Task[] {
    const some = this.#first().filter(({ outcome }) => !outcome);
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

function sizeOf({ group }: Task): number {
  let size = 0;
  for (const op of group.ops) if (op.op === "set") size += op.value.length;
  return size;
}

import type { Task } from "./call.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { Known } from "./known.ts";
import { StoreClock } from "./store-clock.ts";

/**
 * The engines of a backend: one, or where the store's cells are spread over servers one for each, so that a server that
 * does not answer holds up nobody who asks the others, and one more for groups that need several.
 */
export class Engines {
  readonly clock: StoreClock;
  readonly #engines: readonly Engine[];
  readonly #several: Engine;
  readonly #serverOf: ((cell: string) => number) | undefined;

  constructor(options: Omit<EngineOptions, "clock" | "known" | "again">) {
    const { store, time } = options;
    this.clock = new StoreClock(time, store.declares.clock);
    const shared = { clock: this.clock, known: new Known(time), again: (tasks: readonly Task[]) => this.enter(tasks) };
    const make = (): Engine => new Engine({ ...options, ...shared });
    this.#engines = Array.from({ length: store.servers?.count ?? 0 }, make);
    this.#several = make();
    this.#serverOf = store.servers?.of;
  }

  /** Takes up groups; each ends by its outcome. */
  enter(tasks: readonly Task[]): void {
    if (!this.#serverOf) return this.#several.enter(tasks);
    const parts = new Map<Engine, Task[]>();
    for (const task of tasks) {
      const engine = this.#engineOf(task);
      const part = parts.get(engine);
      if (part) part.push(task);
      else parts.set(engine, [task]);
    }
    for (const [engine, part] of parts) engine.enter(part);
  }

  #engineOf({ cells: [cell, ...others], more }: Task): Engine {
    const serverOf = this.#serverOf as (cell: string) => number;
    const server = cell === undefined ? -1 : serverOf(cell);
    const isAlone = [...others, ...more].every((one) => serverOf(one) === server);
    return (isAlone ? this.#engines[server] : undefined) ?? this.#several;
  }
}

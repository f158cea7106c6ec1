import { AsyncLocalStorage } from "node:async_hooks";

/** A call of an instance that runs functions of the application, from {@link Runs.start} to {@link Runs.end}. */
interface Run {
  readonly runs: Runs;
  /** What runs, for those who ask from inside of it. */
  readonly subject: object | undefined;
  /** The run from inside of which it was started. */
  outer: Run | undefined;
  /** Whether an instance that closes waits for it. */
  awaited: boolean;
  over: boolean;
}

export type { Run };

/** From inside of which run something is called: also in what its function calls, and after an await. */
const inside = new AsyncLocalStorage<Run>();
/** Runs of the process that are not over. */
let running = 0;

/**
 * The calls of an instance that run functions of the application. When it closes it waits for them, but not for those from inside of
 * which it is closed: these wait for the close.
 */
export class Runs {
  #awaited = 0;
  #onRest: (() => void)[] = [];

  /** A call that runs functions starts. */
  start(subject?: object): Run {
    this.#awaited++;
    running++;
    return { runs: this, subject, outer: live(inside.getStore()), awaited: true, over: false };
  }

  /** It is over. */
  end(run: Run): void {
    if (run.over) return;
    run.over = true;
    // On Node 20 and 22 every promise of the process costs more for as long as a storage that was used is not disabled.
    if (--running === 0) inside.disable();
    this.#release(run);
  }

  /** Does not wait for those from inside of which this is called. */
  exempt(): void {
    for (let run = inside.getStore(); run; run = run.outer) if (run.runs === this) this.#release(run);
  }

  /** Resolves when none runs that is waited for. */
  async rest(): Promise<void> {
    if (this.#awaited > 0) await new Promise<void>((resolve) => this.#onRest.push(resolve));
  }

  #release(run: Run): void {
    if (!run.awaited) return;
    run.awaited = false;
    if (--this.#awaited === 0) for (const rested of this.#onRest.splice(0)) rested();
  }
}

/** Calls a function of the application on behalf of a run. */
export function within<A extends readonly unknown[], R>(run: Run, fn: (...args: A) => R, ...args: A): R {
  return inside.run(run, fn, ...args);
}

/** From inside of which run this is called, over or not. */
export function insideOf(): Run | undefined {
  return inside.getStore();
}

/** The innermost that is not over. Those that are go: what starts itself anew, time and again, would else hold on to all of its past. */
function live(run: Run | undefined): Run | undefined {
  let inner = run;
  while (inner?.over) inner = inner.outer;
  if (inner) inner.outer = live(inner.outer);
  return inner;
}

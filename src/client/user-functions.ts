import { AsyncLocalStorage } from "node:async_hooks";

/**
 * A call of an instance that runs functions of the application, from {@link UserFunctions.start} to {@link
 * UserFunctions.end}.
 */
export interface UserFunction {
  readonly owner: UserFunctions;
  /** What the call is about, for those who ask from inside of its function. */
  readonly subject: object | undefined;
  /** The user function from inside of which it was started. */
  outer: UserFunction | undefined;
  /** Whether a close of the instance waits for it. */
  awaited: boolean;
  over: boolean;
}

/** The user function that the code runs in: also for what that function calls, and after an await. */
const inside = new AsyncLocalStorage<UserFunction>();
/** How many user functions of the process are not over. */
let running = 0;

/**
 * The user functions of an instance. A close waits for them, but not for those from inside of which the instance is
 * closed: they wait for the close.
 */
export class UserFunctions {
  #awaited = 0;
  #onRest: (() => void)[] = [];

  /** A call that runs functions of the application starts. */
  start(subject?: object): UserFunction {
    this.#awaited++;
    running++;
    return { owner: this, subject, outer: live(inside.getStore()), awaited: true, over: false };
  }

  /** The call is over. */
  end(one: UserFunction): void {
    if (one.over) return;
    one.over = true;
    // On Node 20 and 22 every promise of the process costs more for as long as a storage that was used is not disabled.
    if (--running === 0) inside.disable();
    this.#release(one);
  }

  /** Lets a close not wait for those from inside of which this is called. */
  exempt(): void {
    for (let one = inside.getStore(); one; one = one.outer) if (one.owner === this) this.#release(one);
  }

  /** Resolves when none is left that a close waits for. */
  async rest(): Promise<void> {
    if (this.#awaited > 0) await new Promise<void>((resolve) => this.#onRest.push(resolve));
  }

  #release(one: UserFunction): void {
    if (!one.awaited) return;
    one.awaited = false;
    if (--this.#awaited === 0) for (const rested of this.#onRest.splice(0)) rested();
  }
}

/** Calls a function of the application as part of a user function. */
export function within<A extends readonly unknown[], R>(one: UserFunction, fn: (...args: A) => R, ...args: A): R {
  return inside.run(one, fn, ...args);
}

/** The user function from inside of which this is called, over or not. */
export function insideOf(): UserFunction | undefined {
  return inside.getStore();
}

/**
 * The innermost user function that is not over. Those that are over are dropped: a function that starts itself anew,
 * time and again, would else hold on to all of its past.
 */
function live(one: UserFunction | undefined): UserFunction | undefined {
  let inner = one;
  while (inner?.over) inner = inner.outer;
  if (inner) inner.outer = live(inner.outer);
  return inner;
}

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";

/** The warnings of leaks that Node has given since the first signal was made. */
const leaks: Error[] = [];
let hears = false;

/** One signal that many calls are given at once. */
export class OneSignal {
  readonly reason = new Error("all of them");
  readonly #controller = new AbortController();
  readonly #before: number;

  constructor() {
    this.#before = leaks.length;
    if (hears) return;
    hears = true;
    process.on("warning", (warning) => {
      if (warning.name === "MaxListenersExceededWarning") leaks.push(warning);
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get #listeners(): number {
    return getEventListeners(this.signal, "abort").length;
  }

  /**
   * Calls that are on their way: they share a listener, the signal ends each, and none of them leaves anything behind.
   */
  async ends(what: string, calls: readonly Promise<unknown>[]): Promise<void> {
    assert.equal(this.#listeners, 1, `listeners while ${what}`);
    const settled = Promise.allSettled(calls);
    this.#controller.abort(this.reason);
    for (const outcome of await settled) {
      assert.equal(outcome.status === "rejected" ? outcome.reason : outcome.value, this.reason, what);
    }
    await this.quiet(what);
  }

  /** Nothing is left of the calls, and Node has not warned of a leak. */
  async quiet(what: string): Promise<void> {
    assert.equal(this.#listeners, 0, `listeners after ${what}`);
    await nextTurn();
    assert.deepEqual(leaks.slice(this.#before), [], what);
  }
}

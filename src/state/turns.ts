import { onAbort } from "../base/aborts.ts";
import { UnavailableError } from "../base/errors.ts";
import { keyId, type Key } from "../base/keys.ts";
import type { Time, Timer } from "../base/time.ts";
import type { Call } from "../client/index.ts";
import { Deadlines } from "../client/deadlines.ts";

/** A turn that lasts longer, in ms, lets the next one begin: its function may be slow, or wait for the next one itself. */
const longestTurn = 1_000;

/** A turn on a key. */
export interface Turn {
  /** Ends it; harmless when it was over. */
  end(): void;
}

interface Waiter {
  begin(): void;
}

interface Line {
  turn: Turn;
  readonly waiting: Set<Waiter>;
  timer: Timer | undefined;
}

/**
 * Has the callers of one process take turns on a key, so that they do not undo each other's work with conflicts. It is
 * politeness, not exclusion: what is written is right without it.
 */
export class Turns {
  readonly #time: Time;
  readonly #deadlines: Deadlines;
  readonly #lines = new Map<string, Line>();

  constructor(time: Time) {
    this.#time = time;
    this.#deadlines = new Deadlines(time);
  }

  /** Waits for a turn. Rejects with the signal's reason or UnavailableError. */
  take(key: Key, call: Call): Turn | Promise<Turn> {
    const id = keyId(key);
    const line = this.#lines.get(id);
    if (line) return this.#wait(key, id, line, call);
    const turn: Turn = { end: () => this.#end(id, turn) };
    this.#lines.set(id, { turn, waiting: new Set(), timer: undefined });
    return turn;
  }

  async #wait(key: Key, id: string, line: Line, { signal, deadline }: Call): Promise<Turn> {
    signal?.throwIfAborted();
    const turn: Turn = { end: () => this.#end(id, turn) };
    await new Promise<void>((resolve, reject) => {
      // At once, for a turn must not begin for somebody who gave up in the same moment.
      const undo = (): void => {
        unheard();
        this.#deadlines.delete(expiring);
        line.waiting.delete(waiter);
      };
      const waiter: Waiter = {
        begin() {
          undo();
          line.turn = turn;
          resolve();
        },
      };
      const expiring = {
        deadline,
        expire() {
          undo();
          reject(new UnavailableError("timed out while others updated the key: nothing was changed", { key: key.key }));
        },
      };
      const unheard = onAbort(signal, () => {
        undo();
        reject(signal?.reason as Error);
      });
      this.#deadlines.add(expiring);
      line.waiting.add(waiter);
      this.#watch(line);
    });
    return turn;
  }

  #end(id: string, turn: Turn): void {
    const line = this.#lines.get(id);
    if (line?.turn !== turn) return; // it lasted too long, and another one began
    if (line.waiting.size > 0) return this.#next(line);
    line.timer?.clear();
    this.#lines.delete(id);
  }

  #next(line: Line): void {
    const [first] = line.waiting;
    line.timer?.clear();
    line.timer = undefined;
    if (!first) return;
    first.begin();
    this.#watch(line);
  }

  #watch(line: Line): void {
    // It keeps the process alive, as every pending call does.
    if (line.waiting.size > 0) line.timer ??= this.#time.after(longestTurn, () => this.#next(line), { ref: true });
  }
}

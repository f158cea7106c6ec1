import type { Key } from "../base/keys.ts";
import type { Time } from "../base/time.ts";
import type { Deadlines } from "../client/deadlines.ts";
import type { Call } from "../client/index.ts";
import { mostKeys, Round, type Ended } from "./round.ts";
import { TaskList, type Clock, type Terms } from "./task-list.ts";
import type { Work } from "./task.ts";
import { Turns, type Turn } from "./turns.ts";
import { View } from "./view.ts";

/** Conflicts in a row that show that another process changes the same: from then on the line takes turns with it. */
const mostConflicts = 2;
/** How long the line remembers that, in ms. */
const contendedMs = 1_000;
/** After how long a line serves its next list, in ms, even if tasks of this one still wait. */
const listMs = 50;
/** After how long a turn that was asked for ahead is passed on, in ms, if no task has come that needs it. */
const idleTurnMs = 5;

/** Where a call waits. */
export interface Place {
  /**
   * What the call is about: calls with the same key wait in one line. It is also the lock by which processes take
   * turns.
   */
  readonly turn: Key;
  /** Whether its calls may need different records, and are known to meet other processes. */
  readonly mixed: boolean;
  /** Calls with the same object here may be written together. */
  readonly with: object;
  readonly terms: Terms;
}

/** The calls of this process that change the same: their tasks, in lists that are served one after another. */
export class Line implements Clock {
  readonly time: Time;
  readonly deadlines: Deadlines;
  readonly #turn: Key;
  readonly #mixed: boolean;
  readonly #open: (open: boolean) => void;
  /** By {@link Place.with}, in the order in which they are served. */
  readonly #lists = new Map<object, TaskList>();
  #running = false;
  #conflicts = 0;
  #contendedUntil: number;
  /** A turn that was asked for ahead. */
  #coming: Promise<Turn> | undefined;

  /** `open` is called with true when the line begins to work, and with false when no task is left. */
  constructor({ turn, mixed }: Place, { time, deadlines }: Omit<Clock, "wake">, open: (open: boolean) => void) {
    this.time = time;
    this.deadlines = deadlines;
    this.#turn = turn;
    this.#mixed = mixed;
    this.#open = open;
    this.#contendedUntil = mixed ? Infinity : 0;
  }

  /** Whether more than one task waits. */
  get isBusy(): boolean {
    let waiting = 0;
    for (const { tasks } of this.#lists.values()) waiting += tasks.size;
    return waiting > 1;
  }

  enter<R>(place: Place, work: Work<R>, call: Call, tries: number): Promise<R> {
    let list = this.#lists.get(place.with);
    if (!list) this.#lists.set(place.with, (list = new TaskList(place.terms, this)));
    const { result } = list.enter(work, call, tries, this.#running || this.#isContended);
    this.wake();
    return result;
  }

  wake(): void {
    if (this.#running) return;
    this.#running = true;
    this.#open(true);
    void this.#run();
  }

  async #run(): Promise<void> {
    for (let list = this.#next(); list; list = this.#next()) await this.#serve(list);
    this.#rest();
  }

  /** The list to serve next, moved behind the others; drops lists that have nothing left. */
  #next(): TaskList | undefined {
    for (const [together, list] of this.#lists) {
      if (list.tasks.size > 0 || list.apart === 0) this.#lists.delete(together);
      if (list.tasks.size === 0) continue;
      this.#lists.set(together, list);
      return list;
    }
    return undefined;
  }

  /** Serves the tasks of a list in rounds; where another process changes the same, in one round under a turn. */
  async #serve(list: TaskList): Promise<void> {
    const until = this.time.monotonic() + listMs;
    let turn: Turn | undefined;
    let view = new View();
    try {
      while (list.tasks.size > 0 && !turn && this.time.monotonic() < until) {
        const taken = this.#isContended ? await this.#take(list) : undefined;
        turn = taken;
        if (taken?.waited) view = new View();
        // The turn is passed on in the request that writes, not after it: the next process reads behind both. After a
        // conflict the tasks take another turn.
        const onSend = taken && ((tasks: number): void => this.#pass(taken, list, tasks));
        const ended = await new Round(list, view, onSend).run();
        this.#count(ended);
        // Without a turn, others may well have written since, and the next function is to see that.
        const goesOn = ended === "conflict" ? view.size === 1 : ended === "done" && turn !== undefined;
        if (!goesOn || view.size >= mostKeys) view = new View();
        if (this.#mixed) list.lately = view.keys;
      }
    } finally {
      turn?.end();
    }
  }

  async #take(list: TaskList): Promise<Turn> {
    const coming = this.#coming;
    this.#coming = undefined;
    return coming ?? Turns.of(list.terms.instance).take(this.#turn, list);
  }

  /** Passes a turn on. After many tasks more are likely to come: the next turn is asked for in the same request. */
  #pass(turn: Turn, list: TaskList, tasks: number): void {
    turn.end();
    if (tasks < 2 || this.#coming) return;
    this.#coming = Turns.of(list.terms.instance).take(this.#turn, list, true);
  }

  /** No task waits any more. */
  #rest(): void {
    this.#running = false;
    const coming = this.#coming;
    if (!coming) {
      if (this.#lists.size === 0) this.#open(false);
      return;
    }
    this.time.after(idleTurnMs, () => {
      if (this.#running || this.#coming !== coming) return;
      this.#coming = undefined;
      void coming.then((turn) => turn.end());
      this.#rest();
    });
  }

  #count(ended: Ended): void {
    this.#conflicts = ended === "conflict" ? this.#conflicts + 1 : 0;
    if (this.#conflicts < mostConflicts) return;
    this.#contendedUntil = Math.max(this.#contendedUntil, this.time.monotonic() + contendedMs);
  }

  get #isContended(): boolean {
    return this.#contendedUntil > this.time.monotonic();
  }
}

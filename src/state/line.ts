import type { Key } from "../base/keys.ts";
import type { Time } from "../base/time.ts";
import type { Deadlines } from "../client/deadlines.ts";
import type { Call } from "../client/index.ts";
import type { Work } from "./job.ts";
import { Queue, type Clock, type Terms } from "./queue.ts";
import { mostKeys, Round, type Ended } from "./round.ts";
import { Turns, type Turn } from "./turns.ts";
import { View } from "./view.ts";

/** Conflicts one after another that show that another process changes the same: what comes then takes turns with it. */
const mostConflicts = 2;
/** How long that is remembered, in ms. */
const contendedMs = 1_000;
/** Others have their turn after so long, in ms, though some here still wait. */
const turnMs = 50;
/** A turn that was asked for ahead is passed on after so long, in ms, if nobody has come who needs it. */
const idleTurnMs = 5;

/** Where a call waits. */
export interface Place {
  /** What it is about: calls of the same wait in one line. It is also the lock of the turns that processes take. */
  readonly turn: Key;
  /** Whether calls may need different records, and are known to meet others. */
  readonly mixed: boolean;
  /** What those have in common whose changes may be written together. */
  readonly with: object;
  readonly terms: Terms;
}

/** Those of this process who change the same. */
export class Line implements Clock {
  readonly time: Time;
  readonly deadlines: Deadlines;
  readonly #turn: Key;
  readonly #mixed: boolean;
  readonly #open: (open: boolean) => void;
  /** In the order of their turns. */
  readonly #queues = new Map<object, Queue>();
  #running = false;
  #conflicts = 0;
  #contendedUntil: number;
  /** A turn that was asked for ahead. */
  #coming: Promise<Turn> | undefined;

  constructor({ turn, mixed }: Place, { time, deadlines }: Omit<Clock, "wake">, open: (open: boolean) => void) {
    this.time = time;
    this.deadlines = deadlines;
    this.#turn = turn;
    this.#mixed = mixed;
    this.#open = open;
    this.#contendedUntil = mixed ? Infinity : 0;
  }

  /** Whether more than one waits. */
  get isBusy(): boolean {
    let waiting = 0;
    for (const { jobs } of this.#queues.values()) waiting += jobs.size;
    return waiting > 1;
  }

  enter<R>(place: Place, work: Work<R>, call: Call, tries: number): Promise<R> {
    let queue = this.#queues.get(place.with);
    if (!queue) this.#queues.set(place.with, (queue = new Queue(place.terms, this)));
    const { result } = queue.enter(work, call, tries, this.#running || this.#isContended);
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
    for (let queue = this.#next(); queue; queue = this.#next()) await this.#serve(queue);
    this.#rest();
  }

  /** The queue whose turn it is. */
  #next(): Queue | undefined {
    for (const [together, queue] of this.#queues) {
      if (queue.jobs.size > 0 || queue.apart === 0) this.#queues.delete(together);
      if (queue.jobs.size === 0) continue;
      this.#queues.set(together, queue);
      return queue;
    }
    return undefined;
  }

  /** Serves those who wait; where another process changes the same, by one round under a turn. */
  async #serve(queue: Queue): Promise<void> {
    const until = this.time.monotonic() + turnMs;
    let turn: Turn | undefined;
    let view = new View();
    try {
      while (queue.jobs.size > 0 && !turn && this.time.monotonic() < until) {
        const taken = this.#isContended ? await this.#take(queue) : undefined;
        turn = taken;
        if (taken?.waited) view = new View();
        // Passed on in the request that writes, not after it: whoever is next reads behind both. On a conflict its jobs take another turn.
        const onSend = taken && ((jobs: number): void => this.#pass(taken, queue, jobs));
        const ended = await new Round(queue, view, onSend).run();
        this.#count(ended);
        // Without a turn, others may well have written since: a function is to see that.
        const goesOn = ended === "conflict" ? view.size === 1 : ended === "done" && turn !== undefined;
        if (!goesOn || view.size >= mostKeys) view = new View();
        if (this.#mixed) queue.lately = view.keys;
      }
    } finally {
      turn?.end();
    }
  }

  async #take(queue: Queue): Promise<Turn> {
    const coming = this.#coming;
    this.#coming = undefined;
    return coming ?? Turns.of(queue.terms.instance).take(this.#turn, queue);
  }

  /** Passes a turn on. Where there were many, more are likely to come: the next turn is asked for in the same request. */
  #pass(turn: Turn, queue: Queue, jobs: number): void {
    turn.end();
    if (jobs < 2 || this.#coming) return;
    this.#coming = Turns.of(queue.terms.instance).take(this.#turn, queue, true);
  }

  /** Nobody waits any more. */
  #rest(): void {
    this.#running = false;
    const coming = this.#coming;
    if (!coming) {
      if (this.#queues.size === 0) this.#open(false);
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

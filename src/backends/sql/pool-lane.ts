import { rejected } from "../../base/async.ts";
import type { HoldfastError, UnavailableError } from "../../base/errors.ts";
import type { Time, Timer } from "../../base/time.ts";
import { closedError } from "../common/failures.ts";
import type { PendingCallers } from "../common/pending.ts";
import type { Failure } from "../common/reconnecting.ts";
import { Hindrance } from "./hindrance.ts";
import type { Lane, Lent } from "./lane.ts";
import { WaitingLine } from "./waiting-line.ts";

/** The pause after a pool had no connection to give, in ms. */
const pauseMs = 200;

/** A connection on a client of a pool. */
export interface Borrowed {
  /** Whether it is of use. */
  readonly alive: boolean;
  /** Hears when the client fails. */
  attach(): void;
  /** Leaves the client to its owner. */
  detach(): void;
  /** Ends it; whoever has something under way on it is told. */
  close(why: unknown): void;
}

export interface PoolLaneOptions<C extends object, W extends Borrowed> {
  readonly backend: string;
  readonly time: Time;
  /** Most clients that are asked for, or had, at one time. */
  readonly most: number;
  readonly pending: PendingCallers;
  /** Asks the pool for a client. */
  ask(): Promise<C>;
  /** What it means that the pool gave none. */
  meaning(error: unknown): Failure;
  /** Makes a connection of a client, attached. */
  alive(client: C): W;
  /** Gives a client back to the pool. */
  giveBack(client: C, isOfUse: boolean): void;
}

/**
 * Clients of the application's pool, each for one caller at a time. What a caller waits for no longer goes back to the
 * pool when it comes. The pool and its clients stay the application's: nothing is changed about them, but that what is
 * of no use is given back as such.
 */
export class PoolLane<C extends object, W extends Borrowed> implements Lane<W> {
  readonly #options: PoolLaneOptions<C, W>;
  readonly #waiting: WaitingLine<Lent<W>>;
  readonly #wires = new WeakMap<C, W>();
  readonly #lent = new Set<W>();
  readonly #hindrance = new Hindrance();
  /** How many clients the pool was asked for and has not given. */
  #asked = 0;
  #problem: HoldfastError | undefined;
  #pause: Timer | undefined;
  #closed = false;

  constructor(options: PoolLaneOptions<C, W>) {
    this.#options = options;
    this.#waiting = new WaitingLine({
      ...options,
      problem: () => this.#problem,
      busy: () => true,
    });
  }

  take(deadline: number): Promise<Lent<W>> {
    if (this.#closed) return rejected(closedError(this.#options.backend));
    const lent = this.#waiting.wait(deadline);
    this.#ask();
    return lent;
  }

  get problem(): UnavailableError | undefined {
    return this.#waiting.problem;
  }

  problemSince(since: number): UnavailableError | undefined {
    return this.#hindrance.since(since);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause?.clear();
    const { backend } = this.#options;
    for (const wire of this.#lent) wire.close(closedError(backend));
    this.#waiting.rejectAll(closedError(backend));
  }

  #ask(): void {
    while (!this.#pause && this.#asked < this.#waiting.size && this.#asked + this.#lent.size < this.#options.most) {
      this.#asked++;
      void this.#askOnce();
    }
  }

  async #askOnce(): Promise<void> {
    let client: C;
    try {
      client = await this.#options.ask();
    } catch (error) {
      this.#asked--;
      this.#failed(error);
      return;
    }
    this.#asked--;
    this.#see(undefined);
    if (this.#closed || this.#waiting.size === 0) this.#options.giveBack(client, true);
    else this.#waiting.serve(() => this.#lend(client));
  }

  #failed(error: unknown): void {
    const { error: problem, final } = this.#options.meaning(error);
    this.#see(problem);
    if (final) this.#waiting.rejectAll(problem);
    if (this.#closed || this.#pause) return;
    this.#pause = this.#options.time.after(pauseMs, () => {
      this.#pause = undefined;
      this.#ask();
    });
  }

  #see(problem: HoldfastError | undefined): void {
    this.#problem = problem;
    this.#hindrance.look(this.problem, this.#options.time.monotonic());
  }

  #lend(client: C): Lent<W> {
    let wire = this.#wires.get(client);
    if (wire) wire.attach();
    else this.#wires.set(client, (wire = this.#options.alive(client)));
    const link = wire;
    this.#lent.add(link);
    return {
      link,
      giveBack: () => {
        if (!this.#lent.delete(link)) return;
        const { alive } = link;
        this.#options.giveBack(client, alive);
        // The pool listens to it by now, if it is of use.
        if (alive) link.detach();
        this.#ask();
      },
    };
  }
}

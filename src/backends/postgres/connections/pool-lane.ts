import { rejected } from "../../../base/async.ts";
import type { HoldfastError } from "../../../base/errors.ts";
import type { Time, Timer } from "../../../base/time.ts";
import { closedError } from "../../common/failures.ts";
import type { PendingCallers } from "../../common/pending.ts";
import type { Lane, Lent } from "../../sql/lane.ts";
import { WaitingLine } from "../../sql/waiting-line.ts";
import type { PgPool, PgPoolClient } from "./driver.ts";
import { attemptFailure, BACKEND, type Hide } from "./errors.ts";
import type { Wire } from "./wire.ts";

/** The pause after a pool had no connection to give, in ms. */
const pauseMs = 200;

export interface PoolLaneOptions {
  readonly time: Time;
  readonly pool: PgPool;
  /** Most clients that are asked for, or had, at one time. */
  readonly most: number;
  readonly pending: PendingCallers;
  readonly hide: Hide;
  /** Makes a connection of a client. */
  alive(client: PgPoolClient): Wire;
}

/**
 * Clients of the application's pool, each for one caller at a time. What a caller waits for no longer goes back to the
 * pool when it comes. The pool and its clients stay the application's: nothing is changed about them, but that what is
 * of no use is given back as such.
 */
export class PoolLane implements Lane<Wire> {
  readonly #options: PoolLaneOptions;
  readonly #waiting: WaitingLine<Lent<Wire>>;
  readonly #wires = new WeakMap<PgPoolClient, Wire>();
  readonly #lent = new Set<Wire>();
  /** How many clients the pool was asked for and has not given. */
  #asked = 0;
  #problem: HoldfastError | undefined;
  #pause: Timer | undefined;
  #closed = false;

  constructor(options: PoolLaneOptions) {
    this.#options = options;
    this.#waiting = new WaitingLine({
      ...options,
      backend: BACKEND,
      problem: () => this.#problem,
      busy: () => true,
    });
  }

  take(deadline: number): Promise<Lent<Wire>> {
    if (this.#closed) return rejected(closedError(BACKEND));
    const lent = this.#waiting.wait(deadline);
    this.#ask();
    return lent;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause?.clear();
    for (const wire of this.#lent) wire.close(closedError(BACKEND));
    this.#waiting.rejectAll(closedError(BACKEND));
  }

  #ask(): void {
    while (!this.#pause && this.#asked < this.#waiting.size && this.#asked + this.#lent.size < this.#options.most) {
      this.#asked++;
      void this.#askOnce();
    }
  }

  async #askOnce(): Promise<void> {
    let client: PgPoolClient;
    try {
      client = await this.#options.pool.connect();
    } catch (error) {
      this.#asked--;
      this.#failed(error);
      return;
    }
    this.#asked--;
    this.#problem = undefined;
    if (this.#closed || this.#waiting.size === 0) client.release();
    else this.#waiting.serve(() => this.#lend(client));
  }

  #failed(error: unknown): void {
    const { error: problem, final } = attemptFailure(error, "the server of the pool", this.#options.hide);
    this.#problem = problem;
    if (final) this.#waiting.rejectAll(problem);
    if (this.#closed || this.#pause) return;
    this.#pause = this.#options.time.after(pauseMs, () => {
      this.#pause = undefined;
      this.#ask();
    });
  }

  #lend(client: PgPoolClient): Lent<Wire> {
    let wire = this.#wires.get(client);
    if (wire) wire.attach();
    else this.#wires.set(client, (wire = this.#options.alive(client)));
    const link = wire;
    this.#lent.add(link);
    return {
      link,
      giveBack: () => {
        if (!this.#lent.delete(link)) return;
        // With an error the pool does not use it any more.
        client.release(link.alive ? undefined : new Error("the connection is lost"));
        // The pool listens to it by now, if it is of use.
        if (link.alive) link.detach();
        this.#ask();
      },
    };
  }
}

import type { Time } from "../../base/time.ts";
import { SqlError, type Reply, type SqlTransaction, type Statement } from "./client.ts";
import type { Lent } from "./lane.ts";

/**
 * How often the first trip is made: of it nothing can have taken effect where a statement was not prepared as it should
 * have been, or the connection turned out to be lost and no commit was sent.
 */
const mostTries = 3;

/** How long a rollback may take before its connection is given up, in ms. */
const rollbackMs = 2_000;

/** Why there is no reply. */
export interface Failed {
  readonly failure: SqlError;
  /** Whether it may go better at once, on the same connection. */
  readonly again: boolean;
}

export type Found<T> = { readonly found: T } | Failed;

/** What becomes of statements on the way to one kind of server. */
export interface Trips<L> {
  /** Asks for a statement that only reads. Never rejects. */
  read(link: L, statement: Statement, deadline: number): Promise<Found<Reply>>;
  /** Sends statements in one trip, after what begins the transaction, if it is the `first`. Never rejects. */
  run(link: L, statements: readonly Statement[], trip: Trip): Promise<Sent>;
  /** Rolls back what is under way. Never rejects. */
  undo(link: L, deadline: number): Promise<unknown>;
}

export interface Trip {
  readonly first: boolean;
  /** With what commits. */
  readonly last: boolean;
  readonly deadline: number;
}

/** The replies to the statements of a trip. Where it failed, `open` says whether there may be something to undo. */
export type Sent = { readonly replies: readonly Reply[] } | (Failed & { readonly open: boolean });

export interface HeldOptions<L> {
  readonly time: Time;
  readonly trips: Trips<L>;
  readonly deadline: number;
  /** Another connection in place of one that was lost. Rejects with a HoldfastError. */
  take(): Lent<L> | Promise<Lent<L>>;
  /** Called once it has ended. */
  ended(): void;
}

/** A transaction on a connection that nobody else uses meanwhile. */
export class HeldTransaction<L extends { readonly alive: boolean }> implements SqlTransaction {
  #lent: Lent<L>;
  readonly #options: HeldOptions<L>;
  #begun = false;
  #over = false;

  constructor(lent: Lent<L>, options: HeldOptions<L>) {
    this.#lent = lent;
    this.#options = options;
  }

  run(statements: readonly Statement[]): Promise<readonly Reply[]> {
    return this.#trip(statements, false);
  }

  commit(statements: readonly Statement[]): Promise<readonly Reply[]> {
    return this.#trip(statements, true);
  }

  rollback(): void {
    if (this.#over) return;
    this.#over = true;
    void this.#undo().then(() => this.#giveBack());
  }

  async #trip(statements: readonly Statement[], last: boolean): Promise<readonly Reply[]> {
    if (this.#over) throw new SqlError("lost", "the transaction has ended");
    const { time, trips, deadline } = this.#options;
    const first = !this.#begun;
    this.#begun = true;
    for (let tries = 1; ; tries++) {
      const sent = await trips.run(this.#lent.link, statements, { first, last, deadline });
      if ("replies" in sent) {
        if (last) this.#end();
        return sent.replies;
      }
      const { failure, open } = sent;
      if (open && this.#lent.link.alive) await this.#undo();
      const again = first && !failure.mayHaveWritten && tries < mostTries && time.monotonic() < deadline;
      if (again && sent.again) continue;
      if (again && !this.#lent.link.alive) {
        await this.#exchange();
        continue;
      }
      this.#end();
      throw failure;
    }
  }

  /** Takes another connection, for this one is of no use any more. Rejects as {@link HeldOptions.take}. */
  async #exchange(): Promise<void> {
    this.#lent.giveBack();
    try {
      this.#lent = await this.#options.take();
    } catch (error) {
      this.#over = true;
      this.#options.ended();
      throw error;
    }
  }

  async #undo(): Promise<void> {
    if (!this.#begun) return;
    const { time, trips } = this.#options;
    await trips.undo(this.#lent.link, time.monotonic() + rollbackMs);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#giveBack();
  }

  #giveBack(): void {
    this.#lent.giveBack();
    this.#options.ended();
  }
}

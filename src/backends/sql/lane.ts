import { Alarm } from "../common/alarm.ts";
import { closedError } from "../common/failures.ts";
import type { PendingCallers, Stay } from "../common/pending.ts";
import { Reconnecting, type Attempt, type Link, type ReconnectingOptions } from "../common/reconnecting.ts";
import { isRefusal, UnavailableError, type HoldfastError } from "../../base/errors.ts";
import { LinkedList, type Linked } from "../../base/linked-list.ts";
import type { Time, Timer } from "../../base/time.ts";

/** A connection more than one that nobody has used for so long is closed, in ms. */
const idleMs = 10_000;

export interface LaneOptions<L extends Link, A extends Attempt<L>> extends Pick<
  ReconnectingOptions<L, A>,
  "attempt" | "meaning"
> {
  readonly backend: string;
  readonly time: Time;
  /** Most connections. A second one is made when somebody waits, and so on, one at a time. */
  readonly most: number;
  /** How many callers may use a connection at once. */
  readonly depth: number;
  /** How many may wait for one. */
  readonly pending: PendingCallers;
}

/** A connection that a caller has. */
export interface Lent<L> {
  readonly link: L;
  /** Gives it back. Once only. */
  giveBack(): void;
}

/** Where callers get a connection. */
export interface Lane<L> {
  /**
   * A connection, at once where one is free. Rejects with UnavailableError at the deadline, where too many wait or when
   * it is closed, and with another HoldfastError where no attempt will ever work.
   */
  take(deadline: number): Lent<L> | Promise<Lent<L>>;
  /** Ends all connections, also those that are lent. */
  close(): void;
}

/** A caller that waits. */
interface Waiter<L> extends Linked<Waiter<L>> {
  readonly deadline: number;
  readonly stay: Stay;
  place?: number | undefined;
  resolve(lent: Lent<L>): void;
  reject(error: Error): void;
}

/** A place for a connection. */
interface Slot<L extends Link, A extends Attempt<L>> {
  readonly connection: Reconnecting<L, A>;
  /** The open connection that callers have, or may have. */
  link: L | undefined;
  users: number;
  usedAt: number;
}

/** Connections of our own that serve the same, and the callers that wait for one, first come, first served. */
export class OwnLane<L extends Link, A extends Attempt<L>> implements Lane<L> {
  readonly #options: LaneOptions<L, A>;
  readonly #waiting = new LinkedList<Waiter<L>>();
  readonly #alarm: Alarm<Waiter<L>>;
  #slots: Slot<L, A>[] = [];
  #tidying: Timer | undefined;
  #closed = false;

  constructor(options: LaneOptions<L, A>) {
    this.#options = options;
    this.#alarm = new Alarm(options.time, (waiter) => this.#end(waiter).reject(this.#late()));
  }

  take(deadline: number): Lent<L> | Promise<Lent<L>> {
    const { backend, pending } = this.#options;
    if (this.#closed) return Promise.reject(closedError(backend));
    const slot = this.#waiting.size === 0 ? this.#free() : undefined;
    if (slot) return this.#lend(slot);
    const stay = pending.enter(1);
    if (stay.admitted === 0) return Promise.reject(pending.full());
    return new Promise((resolve, reject) => {
      const waiter: Waiter<L> = { deadline, stay, resolve, reject, previous: undefined, next: undefined };
      this.#waiting.append(waiter);
      this.#alarm.add(waiter);
      this.#connect();
      this.#serve();
    });
  }

  /** A connection has failed. Ends it. */
  lost(link: L, why: unknown): void {
    const slot = this.#slots.find((one) => one.connection.link === link);
    if (slot) slot.connection.lost(link, why);
    else link.close(why);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tidying?.clear();
    for (const { connection } of this.#slots) connection.close();
    this.#slots = [];
    this.#rejectAll(closedError(this.#options.backend));
  }

  /** The one with the fewest users; of connections for one caller each, the first, so that the last become idle. */
  #free(): Slot<L, A> | undefined {
    let best: Slot<L, A> | undefined;
    for (const slot of this.#slots) {
      if (slot.link && slot.users < (best?.users ?? this.#options.depth)) best = slot;
      if (best?.users === 0) break;
    }
    return best;
  }

  #lend(slot: Slot<L, A>): Lent<L> {
    const link = slot.link as L;
    slot.users++;
    return {
      link,
      giveBack: () => {
        if (slot.link !== link) return;
        slot.users--;
        slot.usedAt = this.#options.time.monotonic();
        this.#serve();
      },
    };
  }

  #serve(): void {
    for (let waiter = this.#waiting.first; waiter; waiter = this.#waiting.first) {
      const slot = this.#free();
      if (!slot) break;
      this.#end(waiter).resolve(this.#lend(slot));
    }
    if (this.#waiting.size === 0) return;
    const hopeless = this.#slots.every(({ connection }) => connection.hopeless) && this.#slots[0]?.connection.problem;
    if (hopeless) this.#rejectAll(hopeless);
    else this.#connect();
  }

  /** Sees to it that a connection is on its way for those who wait: one, or one more. */
  #connect(): void {
    const { most, time } = this.#options;
    const absent = this.#slots.find(({ link }) => !link);
    if (absent) absent.connection.start();
    else if (this.#slots.length < most) {
      const slot: Slot<L, A> = {
        connection: new Reconnecting({ ...this.#options, opened: () => undefined, changed: () => this.#changed(slot) }),
        link: undefined,
        users: 0,
        usedAt: time.monotonic(),
      };
      this.#slots.push(slot);
      slot.connection.start();
      this.#tidyLater();
    }
  }

  #changed(slot: Slot<L, A>): void {
    const { link } = slot.connection;
    if (slot.link !== link) {
      slot.link = link;
      slot.users = 0;
      slot.usedAt = this.#options.time.monotonic();
      // One that is made anew is enough; the others come when they are needed.
      if (!link && this.#slots.length > 1) this.#drop(slot);
    }
    this.#serve();
  }

  #drop(slot: Slot<L, A>): void {
    this.#slots = this.#slots.filter((other) => other !== slot);
    slot.link = undefined;
    slot.connection.close();
  }

  #tidyLater(): void {
    if (this.#tidying || this.#slots.length < 2) return;
    this.#tidying = this.#options.time.after(idleMs, () => {
      this.#tidying = undefined;
      const since = this.#options.time.monotonic() - idleMs;
      for (const slot of this.#slots.slice(1)) if (slot.users === 0 && slot.usedAt < since) this.#drop(slot);
      this.#tidyLater();
    });
  }

  #end(waiter: Waiter<L>): Waiter<L> {
    this.#waiting.remove(waiter);
    this.#alarm.delete(waiter);
    waiter.stay.leave();
    return waiter;
  }

  #rejectAll(error: HoldfastError): void {
    for (const waiter of this.#waiting.toArray()) this.#end(waiter).reject(error);
  }

  #late(): UnavailableError {
    const { backend } = this.#options;
    const problem = this.#slots.map(({ connection }) => connection.problem).find((one) => one !== undefined);
    if (problem) {
      const message = `no connection within the time given: ${problem.message}`;
      return new UnavailableError(message, { backend, cause: problem, refused: isRefusal(problem) });
    }
    const busy = this.#slots.some(({ link }) => link);
    const message = busy ? "no connection became free within the time given" : "no connection within the time given";
    return new UnavailableError(message, { backend });
  }
}

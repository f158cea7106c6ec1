import { rejected } from "../../base/async.ts";
import type { UnavailableError } from "../../base/errors.ts";
import type { Time, Timer } from "../../base/time.ts";
import { closedError } from "../common/failures.ts";
import type { PendingCallers } from "../common/pending.ts";
import { Reconnecting, type Attempt, type Link, type ReconnectingOptions } from "../common/reconnecting.ts";
import { Hindrance } from "./hindrance.ts";
import { WaitingLine } from "./waiting-line.ts";

/** A connection that is not the only one is closed when nobody has used it for so long, in ms. */
const idleMs = 10_000;

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
  /** Why nobody gets a connection; undefined where somebody has one, or it is on its way for the first time. */
  readonly problem: UnavailableError | undefined;
  /** The same, of any moment from `since` on, by `time.monotonic()`. */
  problemSince(since: number): UnavailableError | undefined;
  /** Lends no more, and ends what it opened itself, also what is lent. Idempotent. */
  close(): void;
}

export interface LaneOptions<L extends Link, A extends Attempt<L>> extends Pick<
  ReconnectingOptions<L, A>,
  "attempt" | "meaning"
> {
  readonly backend: string;
  readonly time: Time;
  /** Most connections. A second one is made when somebody waits, and so on, one at a time. */
  readonly most: number;
  /** How many callers may have a connection at once. */
  readonly depth: number;
  /** How many may wait for one. */
  readonly pending: PendingCallers;
  /** The lanes to the same server: when one of them is connected again, the others do not wait either. */
  readonly siblings: Set<Hurrying>;
}

/** What is to be connected again. */
export interface Hurrying {
  /** The server is there again. */
  hurry(): void;
}

/** A place for a connection. */
interface Slot<L extends Link, A extends Attempt<L>> {
  readonly connection: Reconnecting<L, A>;
  /** The open connection that callers have, or may have. */
  link: L | undefined;
  users: number;
  usedAt: number;
}

/** Connections of our own that serve the same. They come back after a loss. */
export class OwnLane<L extends Link, A extends Attempt<L>> implements Lane<L> {
  readonly #options: LaneOptions<L, A>;
  readonly #waiting: WaitingLine<Lent<L>>;
  readonly #hindrance = new Hindrance();
  #slots: Slot<L, A>[] = [];
  #tidying: Timer | undefined;
  #closed = false;

  constructor(options: LaneOptions<L, A>) {
    this.#options = options;
    options.siblings.add(this);
    this.#waiting = new WaitingLine({
      ...options,
      problem: () => this.#slots.map(({ connection }) => connection.problem).find((one) => one !== undefined),
      busy: () => this.#slots.some(({ link }) => link),
    });
  }

  take(deadline: number): Lent<L> | Promise<Lent<L>> {
    if (this.#closed) return rejected(closedError(this.#options.backend));
    const slot = this.#waiting.size === 0 ? this.#free() : undefined;
    if (slot) return this.#lend(slot);
    const lent = this.#waiting.wait(deadline);
    this.#connect();
    this.#serve();
    return lent;
  }

  get problem(): UnavailableError | undefined {
    return this.#slots.some(({ link }) => link) ? undefined : this.#waiting.problem;
  }

  problemSince(since: number): UnavailableError | undefined {
    return this.#hindrance.since(since);
  }

  hurry(): void {
    for (const { connection } of this.#slots) connection.hurry();
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
    this.#options.siblings.delete(this);
    this.#tidying?.clear();
    for (const { connection } of this.#slots) connection.close();
    this.#slots = [];
    this.#waiting.rejectAll(closedError(this.#options.backend));
  }

  /** The one with the fewest callers; of connections for one caller each the first, so that the last become idle. */
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
    while (this.#waiting.size > 0) {
      const slot = this.#free();
      if (!slot) break;
      this.#waiting.serve(() => this.#lend(slot));
    }
    if (this.#waiting.size === 0) return;
    const hopeless = this.#slots.every(({ connection }) => connection.hopeless) && this.#slots[0]?.connection.problem;
    if (hopeless) this.#waiting.rejectAll(hopeless);
    else this.#connect();
  }

  /** Sees to it that a connection is on its way for those who wait: one, or one more. */
  #connect(): void {
    const { most, time, attempt, meaning } = this.#options;
    const absent = this.#slots.find(({ link }) => !link);
    if (absent) {
      absent.connection.start();
      return;
    }
    if (this.#slots.length >= most) return;
    const slot: Slot<L, A> = {
      connection: new Reconnecting({
        time,
        attempt,
        meaning,
        opened: () => undefined,
        changed: () => this.#changed(slot),
      }),
      link: undefined,
      users: 0,
      usedAt: time.monotonic(),
    };
    this.#slots.push(slot);
    slot.connection.start();
    this.#tidyLater();
  }

  #changed(slot: Slot<L, A>): void {
    if (this.#closed) return;
    const { link } = slot.connection;
    if (slot.link !== link) {
      slot.link = link;
      slot.users = 0;
      if (link) for (const one of this.#options.siblings) if (one !== this) one.hurry();
      slot.usedAt = this.#options.time.monotonic();
      // One that is made anew is enough; the others come when they are needed.
      if (!link && this.#slots.length > 1) this.#drop(slot);
    }
    this.#hindrance.look(this.problem, this.#options.time.monotonic());
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
}

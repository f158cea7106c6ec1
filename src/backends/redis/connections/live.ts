import type { Time, Timer } from "../../../base/time.ts";
import type { Arg, RedisFailure, Reply } from "../router.ts";
import { connectionFailure, isReply, replyFailure, type Hide } from "./failures.ts";
import type { Wire } from "./wire.ts";

/** How often a connection with something pending is looked at, and how many looks without a reply make it dead. */
const LOOK_MS = 1250;
const LOOKS = 4;

/** Most commands under way on one connection. */
export const MOST_PENDING = 65_536;

/** What becomes of a {@link Live}. */
export interface LiveEvents {
  /** Nothing was heard for so long that it counts as dead. */
  silent(): void;
  /** The server refused a write because it is a replica. */
  replica(): void;
}

/**
 * An open wire: counts what is pending, keeps the process alive while something is, and finds out when nobody answers.
 */
export class Live {
  readonly wire: Wire;
  readonly #time: Time;
  readonly #hide: Hide;
  readonly #events: LiveEvents;
  readonly #holds: boolean;
  #pending = 0;
  #settled = 0;
  #seen = -1;
  #looks = 0;
  #timer: Timer | undefined;
  #why: unknown;
  #idle: (() => void) | undefined;

  /** `holds`: whether pending commands keep the process alive. */
  constructor(wire: Wire, time: Time, hide: Hide, holds: boolean, events: LiveEvents) {
    this.wire = wire;
    this.#time = time;
    this.#hide = hide;
    this.#holds = holds;
    this.#events = events;
  }

  /** Sends now. Rejects with RedisFailure. */
  send(args: readonly Arg[]): Promise<Reply> {
    if (this.#pending >= MOST_PENDING) {
      const why = new Error(`${MOST_PENDING} commands are pending on this connection`);
      return Promise.reject(connectionFailure(why, false, this.#hide));
    }
    if (this.#pending++ === 0) this.#wake();
    return this.#sent(args).then(this.#replied, (error: unknown) => {
      this.#settle();
      throw this.#failure(error, args[0]);
    });
  }

  /** Waits for what is pending, `ms` at the most, and ends the wire. */
  retire(ms: number): void {
    const end = (): void => {
      timer.clear();
      this.close();
    };
    const timer = this.#time.after(ms, end);
    if (this.#pending === 0) end();
    else this.#idle = end;
  }

  /** `why` is told to those whose commands are pending. */
  close(why?: unknown): void {
    this.#why = why;
    this.#timer?.clear();
    this.wire.close();
  }

  /** What a driver throws instead of rejecting is the command's failure, and nobody else's. */
  #sent(args: readonly Arg[]): Promise<Reply> {
    try {
      return this.wire.send(args);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  readonly #replied = (reply: Reply): Reply => {
    this.#settle();
    return reply;
  };

  #failure(error: unknown, command: unknown): RedisFailure {
    if (!isReply(error)) return connectionFailure(this.#why ?? error, !this.wire.unsent(error), this.#hide);
    const failure = replyFailure(error.message, command, this.#hide);
    if (failure.reply === "READONLY") this.#events.replica();
    return failure;
  }

  #settle(): void {
    this.#settled++;
    if (--this.#pending > 0) return;
    if (this.#holds) this.wire.hold(false);
    this.#idle?.();
  }

  #wake(): void {
    if (this.#holds) this.wire.hold(true);
    if (this.#timer !== undefined) return;
    this.#seen = -1;
    this.#look();
  }

  /** One timer that goes on while something is pending, and none for each command. */
  #look(): void {
    this.#timer = this.#time.after(LOOK_MS, () => {
      this.#timer = undefined;
      if (this.#pending === 0) return;
      this.#looks = this.#settled === this.#seen ? this.#looks + 1 : 0;
      this.#seen = this.#settled;
      if (this.#looks < LOOKS) this.#look();
      else this.#events.silent();
    });
  }
}

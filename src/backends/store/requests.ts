import type { Time } from "../../base/time.ts";
import { Alarm, type Due } from "../common/alarm.ts";

/** What is asked of the store at the same time, at most, with what it has not answered in time. */
const mostOpen = 16;
/** A request that is over its deadline by so much, in ms, is no longer counted: its store does not keep its promise. */
const mostLateMs = 10_000;

/** A request that is under way. */
class Open implements Due {
  readonly deadline: number;
  place: number | undefined;
  readonly expire: () => void;
  /** Whether it is counted as open. */
  counts = true;

  constructor(deadline: number, expire: () => void) {
    this.deadline = deadline;
    this.expire = expire;
  }
}

/** The requests to a store: bounded in number, each with an end. A reply that comes after it belongs to nobody. */
export class Requests {
  readonly #alarm: Alarm<Open>;
  readonly #onRoom: () => void;
  readonly #time: Time;
  /** Those that are over their deadline and were not answered yet. */
  readonly #late = new Set<Open>();
  #open = 0;

  /** `onRoom` is called when another request may be made. */
  constructor(time: Time, onRoom: () => void) {
    this.#alarm = new Alarm(time, (open) => open.expire());
    this.#onRoom = onRoom;
    this.#time = time;
  }

  get hasRoom(): boolean {
    for (const late of this.#late) {
      if (this.#open < mostOpen || late.deadline + mostLateMs > this.#time.monotonic()) break;
      this.#close(late);
    }
    return this.#open < mostOpen;
  }

  /** Sends, at once. `done` or `failed` is called once; `failed` without an error at the deadline. */
  send<T>(deadline: number, send: () => Promise<T>, done: (reply: T) => void, failed: (error?: unknown) => void): void {
    let over = false;
    const end = (tell: () => void): void => {
      if (over) return;
      over = true;
      this.#alarm.delete(open);
      tell();
    };
    const open: Open = new Open(deadline, () => {
      this.#late.add(open);
      end(() => failed());
    });
    this.#alarm.add(open);
    this.#open++;
    const settled = (tell: () => void): void => {
      this.#close(open);
      end(tell);
      this.#onRoom();
    };
    let reply: Promise<T>;
    try {
      reply = send();
    } catch (error) {
      return settled(() => failed(error));
    }
    reply.then(
      (value) => settled(() => done(value)),
      (error: unknown) => settled(() => failed(error)),
    );
  }

  #close(open: Open): void {
    this.#late.delete(open);
    if (open.counts) this.#open--;
    open.counts = false;
  }
}

import type { Time } from "../../base/time.ts";
import { Alarm, type Due } from "../common/alarm.ts";

/** What is asked of the store at the same time, at most, with what it has not answered in time. */
const mostOpen = 16;

/** A request that is under way. */
class Open implements Due {
  readonly deadline: number;
  place: number | undefined;
  readonly expire: () => void;

  constructor(deadline: number, expire: () => void) {
    this.deadline = deadline;
    this.expire = expire;
  }
}

/** The requests to a store: bounded in number, each with an end. A reply that comes after it belongs to nobody. */
export class Requests {
  readonly #alarm: Alarm<Open>;
  readonly #onRoom: () => void;
  #open = 0;

  /** `onRoom` is called when another request may be made. */
  constructor(time: Time, onRoom: () => void) {
    this.#alarm = new Alarm(time, (open) => open.expire());
    this.#onRoom = onRoom;
  }

  get hasRoom(): boolean {
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
    const open = new Open(deadline, () => end(() => failed()));
    this.#alarm.add(open);
    this.#open++;
    const settled = (tell: () => void): void => {
      this.#open--;
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
}

import { isSameKey, keyId, type Key } from "../base/keys.ts";
import type { Time } from "../base/time.ts";
import { Deadlines } from "../client/deadlines.ts";
import type { Call } from "../client/index.ts";
import type { Work } from "./job.ts";
import { Line, type Place } from "./line.ts";

/** How long it is remembered, in ms, that several wanted a record, and of how many records. */
const wantedMs = 1_000;
const mostWanted = 1_000;
/** Who meets others so often without a break does not try without a turn first, but for one in {@link probeEvery}. */
const mostMeetings = 8;
const probeEvery = 32;

/** The lines of a backend in this process. */
export class Lines {
  readonly #time: Time;
  readonly #deadlines: Deadlines;
  readonly #lines = new Map<string, Line>();
  /** Records that several wanted lately, where they took turns for them, and until when that is remembered. */
  readonly #wanted = new Map<string, { readonly turn: Key; readonly until: number }>();
  /** The turn that was met last, and how often without a break. */
  #met: Key | undefined;
  #meetings = 0;

  constructor(time: Time) {
    this.#time = time;
    this.#deadlines = new Deadlines(time);
  }

  /** Does the work when its turn comes; at once where nobody is before it. */
  enter<R>(place: Place, work: Work<R>, call: Call, tries = 0): Promise<R> {
    const id = keyId(place.turn);
    let line = this.#lines.get(id);
    if (!line) {
      const clock = { time: this.#time, deadlines: this.#deadlines };
      line = new Line(place, clock, (open) => {
        if (open) this.#lines.set(id, line as Line);
        else if (this.#lines.get(id) === line) this.#lines.delete(id);
      });
    }
    return line.enter(place, work, call, tries);
  }

  /** The same for work that wants some records. Others that want one of them as well {@link meet} it for a while. */
  async enterFor<R>(keys: () => Iterable<string>, place: Place, work: Work<R>, call: Call, tries: number): Promise<R> {
    const result = this.enter(place, work, call, tries);
    // One that met another and finds nobody there is no sign of more to come.
    const busy = tries > 1 || this.#lines.get(keyId(place.turn))?.isBusy === true;
    if (busy) this.#remember(keys(), place.turn);
    const value = await result;
    if (busy) this.#remember(keys(), place.turn);
    return value;
  }

  /** The turn that one has to take who is like those before, all of whom met others: to try without would be for nothing. */
  likely(): Key | undefined {
    const turn = this.#met;
    if (!turn || this.#meetings < mostMeetings || !this.#lines.has(keyId(turn))) return undefined;
    return ++this.#meetings % probeEvery === 0 ? undefined : turn;
  }

  /** The turn that others lately had to take for one of these records: to go before them would undo what they do. */
  meet(keys: Iterable<string>): Key | undefined {
    if (this.#wanted.size === 0) return undefined;
    const now = this.#time.monotonic();
    for (const key of keys) {
      const wanted = this.#wanted.get(key);
      if (!wanted || wanted.until <= now) continue;
      if (this.#met && !isSameKey(this.#met, wanted.turn)) this.#meetings = 0;
      this.#met = wanted.turn;
      this.#meetings++;
      return wanted.turn;
    }
    this.#meetings = 0;
    return undefined;
  }

  #remember(keys: Iterable<string>, turn: Key): void {
    const now = this.#time.monotonic();
    for (const key of keys) {
      // To the end: the first ones are those that were wanted longest ago.
      this.#wanted.delete(key);
      this.#wanted.set(key, { turn, until: now + wantedMs });
    }
    for (const [key, { until }] of this.#wanted) {
      if (until > now && this.#wanted.size <= mostWanted) break;
      this.#wanted.delete(key);
    }
  }
}

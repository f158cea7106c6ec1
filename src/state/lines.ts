import { isSameKey, keyId, type Key } from "../base/keys.ts";
import type { Time } from "../base/time.ts";
import { Deadlines } from "../client/deadlines.ts";
import type { Call } from "../client/index.ts";
import { Line, type Place } from "./line.ts";
import type { Work } from "./task.ts";

/** How long the lines remember, in ms, that several calls wanted a record, and of how many records. */
const wantedMs = 1_000;
const mostWanted = 1_000;
/** Who has read a record that so many commits under way write has most likely read what is old by then. */
const mostCommits = 2;
/** After so many meetings in a row, calls take a turn at once; one in {@link probeEvery} tries without a turn first. */
const mostMeetings = 8;
const probeEvery = 32;

/** The lines of a backend in this process. */
export class Lines {
  readonly #time: Time;
  readonly #deadlines: Deadlines;
  readonly #lines = new Map<string, Line>();
  /**
   * Records that several calls wanted lately, with the turn that they took for it, and until when that is remembered.
   */
  readonly #wanted = new Map<string, { readonly turn: Key; readonly until: number }>();
  /** How many commits outside of the lines are under way, by record that they write. */
  readonly #commits = new Map<string, number>();
  /** The turn that was met last, and how often in a row. */
  #met: Key | undefined;
  #meetings = 0;

  constructor(time: Time) {
    this.#time = time;
    this.#deadlines = new Deadlines(time);
  }

  /** Does the work behind the earlier calls of the same place; at once where there are none. */
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

  /** The same for work that wants certain records. For a while, other calls that want one of them {@link meet} it. */
  async enterFor<R>(keys: () => Iterable<string>, place: Place, work: Work<R>, call: Call, tries: number): Promise<R> {
    const result = this.enter(place, work, call, tries);
    // A call that met others but finds the line empty is no sign of more to come.
    const busy = tries > 1 || this.#lines.get(keyId(place.turn))?.isBusy === true;
    if (busy) this.#remember(keys(), place.turn);
    const value = await result;
    if (busy) this.#remember(keys(), place.turn);
    return value;
  }

  /**
   * The turn that a call will likely have to take, because the calls before it all met others; undefined to try
   * without.
   */
  likely(): Key | undefined {
    const turn = this.#met;
    if (!turn || this.#meetings < mostMeetings || !this.#lines.has(keyId(turn))) return undefined;
    return ++this.#meetings % probeEvery === 0 ? undefined : turn;
  }

  /** The turn that others lately took for one of these records: a write without it would make theirs conflict. */
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

  /** The first record that a transaction has read and several commits under way write: its own would be in vain. */
  crowded(items: Iterable<readonly [string, { readonly key: Key; readonly read: boolean }]>): Key | undefined {
    if (this.#commits.size === 0) return undefined;
    for (const [id, { key, read }] of items) if (read && (this.#commits.get(id) ?? 0) >= mostCommits) return key;
    return undefined;
  }

  /** Commits outside of the lines; counts that for the records that it writes, until it has ended. */
  async committing<R>(written: readonly string[], commit: () => Promise<R>): Promise<R> {
    for (const key of written) this.#commits.set(key, (this.#commits.get(key) ?? 0) + 1);
    try {
      return await commit();
    } finally {
      for (const key of written) {
        const left = (this.#commits.get(key) ?? 0) - 1;
        if (left > 0) this.#commits.set(key, left);
        else this.#commits.delete(key);
      }
    }
  }

  #remember(keys: Iterable<string>, turn: Key): void {
    const now = this.#time.monotonic();
    for (const key of keys) {
      // Moved to the end, so that the first entries are the oldest.
      this.#wanted.delete(key);
      this.#wanted.set(key, { turn, until: now + wantedMs });
    }
    for (const [key, { until }] of this.#wanted) {
      if (until > now && this.#wanted.size <= mostWanted) break;
      this.#wanted.delete(key);
    }
  }
}

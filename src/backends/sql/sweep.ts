import { drawId } from "../../base/ids.ts";
import type { Time, Timer } from "../../base/time.ts";
import { SqlError, type Limit, type SqlClient } from "./client.ts";
import type { Dialect, Swept } from "./dialect.ts";

/** How often the one that sweeps looks for records that have expired, and for all else, in ms. */
const recordsEvery = 1_000;
const othersEvery = 60_000;
/** How long it has the lead after it has said so, in ms by the server's clock, and how often it says so. */
const leadMs = 30_000;
const leadEvery = 10_000;
/** How often the others look whether somebody has it, in ms, up to twice: so that not all look at once. */
const lookEvery = 10_000;
/** How long a statement may take before it is given up, in ms. */
const patience = 10_000;
/** Rows of a step: first, at least and at most. How long it took, in ms, tells whether the next one is larger. */
const rows = { first: 100, least: 10, most: 1_000 } as const;
const took = { short: 10, long: 40 } as const;
/** Between two steps where there is more to remove: at least, in ms, and so many times as long as a step took. */
const leastPause = 5;
const pauses = 3;
/**
 * A step goes on where the one before it ended, since a server may have to look through all that was removed as long as
 * somebody reads an old snapshot. So often it begins anew, in ms, for what was locked then, or got an end in the past.
 */
const fromAgain = 60_000;
/** A failure that may pass by itself is told when it has lasted so long, in ms. */
const tellAfter = 60_000;
/** The row of meta that names who sweeps, and until when. */
const note = "sweep";

export interface SweepOptions {
  readonly time: Time;
  readonly client: SqlClient;
  readonly dialect: Dialect;
  /** Told of a failure: once, until a step has succeeded again. */
  failed(error: unknown): void;
}

/**
 * Removes what is over: records that have expired, fence floors and locks that are kept no longer. One instance does it
 * for all, and says so in a row of meta; nothing depends on that but the load. Each step is a statement of its own over
 * few rows, which leaves out those that somebody has locked. It does not keep the process alive.
 */
export class Sweep {
  readonly #options: SweepOptions;
  readonly #self = drawId();
  /** How many rows the next step of a table takes. */
  readonly #rows = new Map<Swept, number>();
  /** From which end on a table is looked through; undefined for all of it. */
  readonly #from = new Map<Swept, number>();
  #fromAt = 0;
  /** When a table was last found to hold nothing that is over, by `time.monotonic()` as all here. */
  readonly #doneAt = new Map<Swept, number>();
  /** What this instance has written into the row, while it has the lead. */
  #lead: string | undefined;
  #leadAgainAt = 0;
  #timer: Timer | undefined;
  #working: Promise<void> | undefined;
  #closed = false;
  #failingSince: number | undefined;
  #told = false;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Begins, a moment later. Call it once the tables are there. */
  start(): void {
    if (!this.#timer && !this.#working) this.#plan(recordsEvery * Math.random());
  }

  /** Ends it, and leaves the lead to another one. Resolves soon. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.clear();
    await this.#working;
    // The next one finds out by the clock if it is not told.
    if (this.#lead !== undefined) await this.#claim(this.#lead, 0, 1_000).catch(() => undefined);
  }

  #plan(ms: number): void {
    if (this.#closed) return;
    this.#timer = this.#options.time.after(ms, () => {
      this.#timer = undefined;
      this.#working = this.#round().then((next) => {
        this.#working = undefined;
        this.#plan(next);
      });
    });
  }

  /** One step of each table that is due; how long the next round can wait, in ms. Never rejects. */
  async #round(): Promise<number> {
    const { time, dialect } = this.#options;
    try {
      if (!(await this.#leads())) return lookEvery * (1 + Math.random());
      // What was looked at longest ago comes first, so that no table waits for another that is never done.
      const doneAt = (table: Swept): number => this.#doneAt.get(table) ?? Number.NEGATIVE_INFINITY;
      const startedAt = time.monotonic();
      const due = dialect.swept.filter((table) => {
        return startedAt - doneAt(table) >= (table === "records" ? recordsEvery / 2 : othersEvery);
      });
      let pause = 0;
      for (const table of due.toSorted((one, other) => doneAt(one) - doneAt(other))) {
        const { isFull, tookMs } = await this.#step(table);
        if (isFull) pause = Math.max(pause, leastPause, pauses * tookMs);
        else this.#doneAt.set(table, time.monotonic());
        if (this.#closed) break;
      }
      this.#failingSince = undefined;
      this.#told = false;
      return pause === 0 ? recordsEvery : pause;
    } catch (error) {
      this.#fail(error);
      return lookEvery * Math.random();
    }
  }

  /** Removes some rows; whether there may be more. */
  async #step(table: Swept): Promise<{ readonly isFull: boolean; readonly tookMs: number }> {
    const { time, client, dialect } = this.#options;
    const most = this.#rows.get(table) ?? rows.first;
    const startedAt = time.monotonic();
    let removed = 0;
    let busy = false;
    if (startedAt >= this.#fromAt + fromAgain) {
      this.#from.clear();
      this.#fromAt = startedAt;
    }
    const from = this.#from.get(table) ?? Number.MIN_SAFE_INTEGER;
    try {
      const reply = await client.write(() => dialect.sweep(table, most, from), this.#limit(patience));
      const { count = 0, last = from } = reply ? dialect.removed(reply) : {};
      removed = count;
      this.#from.set(table, last);
    } catch (error) {
      // Somebody has locked one of the rows: fewer of them next time.
      if (!(error instanceof SqlError) || error.failure !== "busy") throw error;
      busy = true;
    }
    const tookMs = time.monotonic() - startedAt;
    if (busy || tookMs > took.long) this.#rows.set(table, Math.max(rows.least, most >> 1));
    else if (removed >= most && tookMs < took.short) this.#rows.set(table, Math.min(rows.most, most * 2));
    return { isFull: removed >= most, tookMs };
  }

  /** Whether this instance sweeps. Where nobody does, it takes the lead. */
  async #leads(): Promise<boolean> {
    const { time, client, dialect } = this.#options;
    if (this.#lead !== undefined && time.monotonic() < this.#leadAgainAt) return true;
    const reply = await client.read(dialect.note(note), this.#limit(patience));
    const { value, micros } = dialect.noted(reply);
    const now = Math.floor(micros / 1_000);
    const [who, until] = value?.split(":") ?? [];
    if (who !== undefined && who !== this.#self && Number(until) > now) {
      this.#lead = undefined;
      return false;
    }
    return this.#claim(value, now + leadMs, patience);
  }

  /** Has the lead until then, if the row is as it was read. */
  async #claim(before: string | undefined, until: number, withinMs: number): Promise<boolean> {
    const { time, client, dialect } = this.#options;
    const lead = `${this.#self}:${until}`;
    const at = time.monotonic();
    this.#lead = undefined;
    const reply = await client.write(() => dialect.swapNote(note, before, lead), this.#limit(withinMs));
    if (reply?.changed !== 1) return false;
    this.#lead = lead;
    this.#leadAgainAt = at + leadEvery;
    return true;
  }

  #limit(ms: number): Limit {
    return { deadline: this.#options.time.monotonic() + ms };
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    const now = this.#options.time.monotonic();
    this.#failingSince ??= now;
    const isFinal = error instanceof SqlError && error.failure === "refused";
    if (this.#told || (!isFinal && now - this.#failingSince < tellAfter)) return;
    this.#told = true;
    this.#options.failed(error);
  }
}

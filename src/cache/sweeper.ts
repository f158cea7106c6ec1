import type { Space } from "../base/keys.ts";
import type { Timer } from "../base/time.ts";
import type { Instance } from "../client/index.ts";
import type { Capabilities } from "../port/index.ts";
import { SweepBook, type Claim } from "./sweep-book.ts";
import { SweepPass, type Step } from "./sweep-pass.ts";

/** How often an instance looks whether a sweep is due that nobody makes, while entries that never end are written. */
const LOOK_MS = 30_000;
/** When a sweeper that could not ask its store tries again. */
const RETRY_MS = 5_000;
/** How often who sweeps says so. */
const BEAT_MS = 5_000;
/**
 * Between two steps: at least so long, and so many times as long as the step took, where it found nothing and where it
 * found much.
 */
const PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 5_000;
const PAUSES = 4;
const SHORT_PAUSES = 1;
/** Between two passes: as long as the last one took, within bounds. */
const REST_MS = 1_000;
const LONGEST_REST_MS = 60_000;

/** Whether there is something to sweep, and it can be found. */
export function canSweep({ list, reads }: Capabilities): boolean {
  return list && reads !== "eventual";
}

/**
 * Gives back what entries take that are absent, for a clear or a tag ended them, and stay stored, for they never
 * expire. It runs in the background, a bounded step at a time, in one instance of those that share the cache; another
 * one goes on when that has died. Nothing depends on it but space: what it does is right whoever else does it too.
 */
export class Sweeper {
  readonly #instance: Instance;
  readonly #entries: Space;
  readonly #stamps: Space;
  /** Told of what failed; it is tried again. */
  readonly #failed: (error: unknown) => void;
  readonly #book: SweepBook;
  /** An invalidation left something behind that has not been marked. */
  #dirty = false;
  #working: Promise<void> | undefined;
  #nextLook = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #closing = false;
  #wake: () => void = () => undefined;
  #unregister: (() => void) | undefined;

  constructor(instance: Instance, entries: Space, stamps: Space, failed: (error: unknown) => void) {
    this.#instance = instance;
    this.#entries = entries;
    this.#stamps = stamps;
    this.#failed = failed;
    this.#book = new SweepBook(instance, stamps);
  }

  /** An invalidation ended entries that would stay stored for long. */
  due(): void {
    this.#dirty = true;
    if (this.#closing) void this.#leave();
    else this.#start();
  }

  /** Entries that never end are written: looks now and then whether a sweep is due. Costs nothing else. */
  remind(): void {
    const now = this.#instance.time.monotonic();
    if (now < this.#nextLook) return;
    this.#nextLook = now + LOOK_MS;
    this.#start();
  }

  #start(): void {
    if (this.#working || this.#closing) return;
    const { known } = this.#instance;
    if (known && !canSweep(known.capabilities)) return;
    this.#unregister ??= this.#instance.register({ end: () => this.#end() });
    this.#timer?.clear();
    this.#timer = undefined;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      // It waits for its timer, and is registered for as long.
      if (this.#timer) return;
      this.#unregister?.();
      this.#unregister = undefined;
      // An invalidation that came when all was done, and before this.
      if (this.#dirty) this.#start();
    });
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    try {
      do {
        if (this.#dirty) await this.#mark();
        for (let claim = await this.#claim(); claim; claim = await this.#claim()) {
          const start = this.#instance.time.monotonic();
          if (!(await this.#sweep(claim))) break;
          const took = this.#instance.time.monotonic() - start;
          await this.#pause(Math.min(Math.max(REST_MS, took), LONGEST_REST_MS));
          if (this.#dirty) await this.#mark();
        }
      } while (this.#dirty && !this.#closing);
    } catch (error) {
      if (!this.#closing) this.#failed(error);
      this.#lookLater(RETRY_MS);
    }
  }

  async #mark(): Promise<void> {
    this.#dirty = false;
    try {
      await this.#book.mark();
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
    // Invalidations that come one after the other need one mark.
    await this.#pause(REST_MS);
  }

  /** Takes the sweep that is due if nobody makes it. */
  async #claim(): Promise<Claim | undefined> {
    if (this.#closing) return undefined;
    const claim = await this.#book.claim();
    if (!claim || !("lookAfterMs" in claim)) return claim;
    this.#lookLater(claim.lookAfterMs);
    return undefined;
  }

  /** Whether it went through: not if another one has taken over, or the instance closes. */
  async #sweep(claim: Claim): Promise<boolean> {
    const pass = new SweepPass(this.#instance, this.#entries, this.#stamps);
    if (!(await this.#steps(claim, (at) => pass.entries(at)))) return false;
    if (claim.cursor === undefined) {
      // Only who has seen all entries knows which tags they bear; those that were written meanwhile are seen by a
      // second way.
      let ended = 0;
      const tags = async (at: string | undefined): Promise<Step> => {
        const step = await pass.tags(at);
        ended += step.changed;
        return step;
      };
      if (!(await this.#steps(claim, tags, false))) return false;
      if (ended > 0 && !(await this.#steps(claim, (at) => pass.entries(at)))) return false;
    }
    return this.#book.done(claim);
  }

  /** Goes from step to step. `keeps` says whether who takes over may go on at the cursor. */
  async #steps(
    { due, cursor: from }: Claim,
    step: (cursor: string | undefined) => Promise<Step>,
    keeps = true,
  ): Promise<boolean> {
    const { time } = this.#instance;
    let beat = time.monotonic();
    let cursor = from;
    do {
      const start = time.monotonic();
      const { changed, seen, cursor: next } = await step(cursor);
      cursor = next;
      const now = time.monotonic();
      if (this.#closing || now - beat >= BEAT_MS) {
        beat = now;
        const goesOn = !this.#closing;
        if (!(await this.#book.beat({ due, cursor: keeps ? cursor : undefined }, goesOn)) || !goesOn) return false;
      }
      const times = changed * 2 > seen ? SHORT_PAUSES : PAUSES;
      if (cursor !== undefined)
        await this.#pause(Math.min(Math.max(PAUSE_MS, times * (now - start)), LONGEST_PAUSE_MS));
    } while (cursor !== undefined);
    return true;
  }

  #lookLater(ms: number): void {
    if (this.#closing) return;
    this.#timer?.clear();
    this.#timer = this.#instance.time.after(ms, () => {
      this.#timer = undefined;
      this.#start();
    });
  }

  /** Ends early when the instance closes. Does not keep the process alive. */
  async #pause(ms: number): Promise<void> {
    if (this.#closing) return;
    await new Promise<void>((resolve) => {
      const timer = this.#instance.time.after(ms, resolve);
      this.#wake = () => {
        timer.clear();
        resolve();
      };
    });
  }

  async #end(): Promise<void> {
    this.#closing = true;
    this.#timer?.clear();
    this.#wake();
    await this.#working;
    await this.#leave();
  }

  /** Marks for others what this one was still to mark. */
  async #leave(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#book.mark();
    } catch (error) {
      this.#failed(error);
    }
  }
}

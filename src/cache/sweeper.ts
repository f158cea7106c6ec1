import { drawId } from "../base/ids.ts";
import type { Key, Space } from "../base/keys.ts";
import type { Timer } from "../base/time.ts";
import type { Instance } from "../client/index.ts";
import type { Capabilities, Operation, StoredRecord } from "../port/index.ts";
import { SweepPass, type Step } from "./sweep-pass.ts";
import { readSweep, writeSweep, type SweepState } from "./sweep-record.ts";
import { recordOf } from "./stamps.ts";

/** The records that instances agree by, beside the stamps: how far the sweep is, and the mark that one is due. */
const PROGRESS = "s";
const DUE = "d";
const RECORD_MS = 30 * 24 * 60 * 60_000;

/** How often an instance looks whether a sweep is due that nobody makes, while entries that never end are written. */
const LOOK_MS = 30_000;
/** When a sweeper that could not ask its store tries again. */
const RETRY_MS = 5_000;
/** A sweep is due after so long without one: for what was written late, and for tags that nothing bears any more. */
const DAILY_MS = 24 * 60 * 60_000;
/** How often who sweeps says so, and how long it may say nothing until another goes on. */
const BEAT_MS = 5_000;
const SILENCE_MS = 60_000;
/** Between two steps: at least so long, and so many times as long as the step took, where it found nothing and where it found much. */
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

interface Claim {
  readonly due: string | undefined;
  readonly cursor: string | undefined;
}

/**
 * Gives back what entries take that are absent, for a clear or a tag ended them, and stay stored, for they never expire. It runs in the
 * background, a bounded step at a time, in one instance of those that share the cache; another one goes on when that has died.
 * Nothing depends on it but space: what it does is right whoever else does it too.
 */
export class Sweeper {
  readonly #instance: Instance;
  readonly #entries: Space;
  readonly #stamps: Space;
  /** Told of what failed; it is tried again. */
  readonly #failed: (error: unknown) => void;
  readonly #by = drawId();
  /** An invalidation left something behind that has not been marked. */
  #dirty = false;
  #working: Promise<void> | undefined;
  #nextLook = Number.NEGATIVE_INFINITY;
  /** The beat of the one who sweeps, and when it was first seen. */
  #seen: { readonly id: string; readonly at: number } | undefined;
  #timer: Timer | undefined;
  #closing = false;
  #wake: () => void = () => undefined;
  #unregister: (() => void) | undefined;

  constructor(instance: Instance, entries: Space, stamps: Space, failed: (error: unknown) => void) {
    this.#instance = instance;
    this.#entries = entries;
    this.#stamps = stamps;
    this.#failed = failed;
  }

  /** An invalidation ended entries that would stay stored for long. */
  due(): void {
    this.#dirty = true;
    this.#start();
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
      await this.#do({ op: "set", key: this.#key(DUE), id: drawId(), value: "", ttl: RECORD_MS });
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
    const { time } = this.#instance;
    const [due, progress] = await Promise.all([this.#get(DUE), this.#get(PROGRESS)]);
    const last = readSweep(progress?.value);
    let claim: Claim;
    if (last?.state === "running") {
      if (last.by !== "" && last.by !== this.#by && !this.#isSilent(progress as StoredRecord)) {
        this.#lookLater(SILENCE_MS);
        return undefined;
      }
      claim = { due: last.due, cursor: last.cursor };
    } else {
      const daily = last !== undefined && time.wall() - last.at > DAILY_MS;
      if (!due && !daily) {
        if (!last) await this.#write({ state: "done", at: time.wall() }, progress);
        return undefined;
      }
      claim = { due: due?.id, cursor: undefined };
    }
    return (await this.#write({ state: "running", by: this.#by, ...claim }, progress)) ? claim : undefined;
  }

  /** Whether who sweeps has said nothing for too long, as far as was seen from here. */
  #isSilent({ id }: StoredRecord): boolean {
    const now = this.#instance.time.monotonic();
    if (this.#seen?.id !== id) this.#seen = { id, at: now };
    return now - this.#seen.at >= SILENCE_MS;
  }

  /** Whether it went through: not if another one has taken over, or the instance closes. */
  async #sweep({ due, cursor }: Claim): Promise<boolean> {
    const pass = new SweepPass(this.#instance, this.#entries, this.#stamps);
    if (!(await this.#steps(due, cursor, (at) => pass.entries(at)))) return false;
    if (cursor === undefined) {
      // Only who has seen all entries knows which tags they bear; those that were written meanwhile are seen by a second way.
      let ended = 0;
      const tags = async (at: string | undefined): Promise<Step> => {
        const step = await pass.tags(at);
        ended += step.changed;
        return step;
      };
      if (!(await this.#steps(due, undefined, tags, false))) return false;
      if (ended > 0 && !(await this.#steps(due, undefined, (at) => pass.entries(at)))) return false;
    }
    // A mark that is another by now is answered by the next pass.
    if (due !== undefined) await this.#do({ op: "delete", key: this.#key(DUE), if: { id: due } });
    const own = await this.#own();
    return own !== undefined && this.#write({ state: "done", at: this.#instance.time.wall() }, own);
  }

  /** Goes from step to step. `keeps` says whether who takes over may go on at the cursor. */
  async #steps(
    due: string | undefined,
    from: string | undefined,
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
        const own = await this.#own();
        const by = this.#closing ? "" : this.#by;
        if (!own || !(await this.#write({ state: "running", by, due, cursor: keeps ? cursor : undefined }, own)))
          return false;
        if (this.#closing) return false;
      }
      const times = changed * 2 > seen ? SHORT_PAUSES : PAUSES;
      if (cursor !== undefined)
        await this.#pause(Math.min(Math.max(PAUSE_MS, times * (now - start)), LONGEST_PAUSE_MS));
    } while (cursor !== undefined);
    return true;
  }

  /** The record of the sweep as long as it is this one's. */
  async #own(): Promise<StoredRecord | undefined> {
    const record = await this.#get(PROGRESS);
    const sweep = readSweep(record?.value);
    return sweep?.state === "running" && sweep.by === this.#by ? record : undefined;
  }

  /** Whether it was written: not if it is another by now. */
  #write(sweep: SweepState, before: StoredRecord | undefined): Promise<boolean> {
    return this.#do({
      op: "set",
      key: this.#key(PROGRESS),
      id: drawId(),
      value: writeSweep(sweep),
      if: before ? { id: before.id } : { absent: true },
      ttl: RECORD_MS,
    });
  }

  async #get(name: string): Promise<StoredRecord | undefined> {
    const op: Operation = { op: "get", key: this.#key(name) };
    return recordOf(await this.#instance.execute({ ops: [op] }, this.#instance.ownCall()));
  }

  async #do(op: Operation): Promise<boolean> {
    return (await this.#instance.execute({ ops: [op] }, this.#instance.ownCall())).ok;
  }

  #key(name: string): Key {
    return { space: this.#stamps, key: name };
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
  }
}

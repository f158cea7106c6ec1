import { drawId } from "../base/ids.ts";
import type { Key, Space } from "../base/keys.ts";
import type { Instance } from "../client/index.ts";
import type { Operation, StoredRecord } from "../port/index.ts";
import { readSweep, writeSweep, type SweepState } from "./sweep-record.ts";
import { recordOf } from "./stamps.ts";

/** The records that instances agree by, beside the stamps: how far the sweep is, and the mark that one is due. */
const PROGRESS = "s";
const DUE = "d";
const RECORD_MS = 30 * 24 * 60 * 60_000;

/** A sweep is due after so long without one: for what was written late, and for tags that nothing bears any more. */
const DAILY_MS = 24 * 60 * 60_000;
/** How long who sweeps may say nothing until another goes on. */
const SILENCE_MS = 60_000;

/** A sweep to be made. */
export interface Claim {
  /** The id of the mark that it answers, if there was one. */
  readonly due: string | undefined;
  /** Where to go on; undefined at its beginning. */
  readonly cursor: string | undefined;
}

/** What is stored of the sweeps of one cache, read and written on behalf of one instance. */
export class SweepBook {
  readonly #instance: Instance;
  readonly #stamps: Space;
  readonly #by = drawId();
  /** The beat of the one who sweeps, and when it was first seen. */
  #seen: { readonly id: string; readonly at: number } | undefined;

  constructor(instance: Instance, stamps: Space) {
    this.#instance = instance;
    this.#stamps = stamps;
  }

  /** Notes that a sweep is due. */
  async mark(): Promise<void> {
    await this.#do({ op: "set", key: this.#key(DUE), id: drawId(), value: "", ttl: RECORD_MS });
  }

  /**
   * Takes the sweep that is due if nobody makes it; for another's, how long to wait in ms. Undefined where none is due.
   */
  async claim(): Promise<Claim | { readonly lookAfterMs: number } | undefined> {
    const { time } = this.#instance;
    const [due, progress] = await Promise.all([this.#get(DUE), this.#get(PROGRESS)]);
    const last = readSweep(progress?.value);
    let claim: Claim;
    if (last?.state === "running") {
      const taken = last.by !== "" && last.by !== this.#by;
      const patience = taken ? SILENCE_MS - this.#silentFor(progress as StoredRecord) : 0;
      if (patience > 0) return { lookAfterMs: patience };
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

  /** Says how far the sweep is; whether it is still this one's. `goesOn: false` hands it on to whoever comes. */
  async beat(claim: Claim, goesOn: boolean): Promise<boolean> {
    const own = await this.#own();
    return own !== undefined && this.#write({ state: "running", by: goesOn ? this.#by : "", ...claim }, own);
  }

  /** The sweep is done; whether it was still this one's. */
  async done({ due }: Claim): Promise<boolean> {
    // A mark that is another by now is answered by the next pass.
    if (due !== undefined) await this.#do({ op: "delete", key: this.#key(DUE), if: { id: due } });
    const own = await this.#own();
    return own !== undefined && this.#write({ state: "done", at: this.#instance.time.wall() }, own);
  }

  /** How long who sweeps has said nothing, in ms, as far as was seen from here. */
  #silentFor({ id }: StoredRecord): number {
    const now = this.#instance.time.monotonic();
    if (this.#seen?.id !== id) this.#seen = { id, at: now };
    return now - this.#seen.at;
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
}

import { aloneKey } from "./layout.ts";
import { fateOf, judge, losses, withLosses, type Finding } from "./losses.ts";
import type { PartitionRecord } from "./partition-record.ts";
import type { WorkerParts } from "./parts.ts";
import type { Hold, Losses } from "./progress.ts";

/**
 * Says in a partition's record who works on it, before anything of it is started, and takes that back when it is given
 * up in good order. So whoever takes it finds out that a worker was lost, and counts what that may have had in hand.
 */
export class Holds {
  readonly #parts: WorkerParts;
  /** When this worker last took a partition. */
  readonly #since = new Map<number, number>();
  #beat = performance.now();
  /** When the event loop last went on after it had stood still for so long that a renewal can have come too late. */
  #stoodStill = -Infinity;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** To be called all the time: notes where a handler blocked the event loop, or the process was paused. */
  beat(): void {
    const now = performance.now();
    if (now - this.#beat > this.#parts.terms.leaseMs / 3) this.#stoodStill = now;
    this.#beat = now;
  }

  /** Names this worker; whether it could. If not, whoever takes the partition next finds out more. */
  async take(record: PartitionRecord): Promise<boolean> {
    const { by, who } = this.#parts.terms;
    const left = await this.#left(record);
    if (!left) return false;
    this.#since.set(record.partition, performance.now());
    const nothing = left.lost !== undefined || left.suspects !== undefined;
    return record.write(withLosses(record.saved.progress, left, { by, who, ...(nothing && { hand: [] }) }));
  }

  /**
   * Gives a partition up, of which nothing is in hand. If that cannot be said, the next worker only starts more
   * carefully.
   */
  async letGo(record: PartitionRecord): Promise<void> {
    const { hold, lost = 0, suspects = [] } = record.saved.progress;
    if (hold?.by === this.#parts.terms.by)
      await record.write(withLosses(record.saved.progress, losses(lost, suspects)));
  }

  /** What those before have left, if that can be known. */
  async #left({ partition, saved }: PartitionRecord): Promise<Losses | undefined> {
    const { hold, lost = 0, suspects = [] } = saved.progress;
    if (!hold || this.#wasHere(partition, hold)) return losses(lost, suspects);
    return this.#parts.outage.patiently(async () => judge(saved.progress, await this.#find(hold)));
  }

  /** Whether this worker lost its own lease though nothing kept it from renewing: that is no item's fault. */
  #wasHere(partition: number, { by }: Hold): boolean {
    this.beat();
    const since = this.#since.get(partition);
    return by === this.#parts.terms.by && since !== undefined && this.#stoodStill < since;
  }

  async #find(hold: Hold): Promise<Finding> {
    const { store } = this.#parts;
    const elsewhere = hold.hand === undefined && (await store.load(aloneKey(hold.by))) !== undefined;
    return { elsewhere, why: hold.alone ? await this.#why(hold) : "" };
  }

  async #why(hold: Hold): Promise<string> {
    const { by, causes, leaseMs } = this.#parts.terms;
    const fate = fateOf(hold, leaseMs, hold.by === by);
    const sibling = hold.by !== by && hold.by.split("/")[0] === by.split("/")[0];
    return (sibling && fate.ended && (await causes?.of(hold.by))) || fate.text;
  }
}

import { isAway, isHoldfastError } from "../base/errors.ts";
import { json, type Holdfast, type Lease, type StateStore } from "../entries/index.ts";
import type { Batch } from "./batch.ts";
import type { Committer } from "./committer.ts";
import { delay } from "./delay.ts";
import { Feeder } from "./feeder.ts";
import { StoreHealth } from "./health.ts";
import type { Item } from "./item.ts";
import type { Lane } from "./lane.ts";
import { jobStoreName, marksStoreName, partitionKey } from "./layout.ts";
import { Partitions, type PartitionsHost } from "./partitions.ts";
import { Pulse } from "./pulse.ts";
import { Pump } from "./pump.ts";
import { Records } from "./records.ts";
import { Share } from "./share.ts";
import { Tally } from "./tally.ts";
import { Trials } from "./trials.ts";
import type { Handler } from "./types.ts";
import type { WorkerEvent, WorkerStats, WorkerTerms } from "./worker-terms.ts";

/** How old a batch may get that does not fill up, in ms; and how often that is looked at. */
const oldestBatch = 100;
const ageing = 25;

/** Handles the items of the partitions that it holds, until all partitions of the job are finished. */
export class Worker implements PartitionsHost {
  handler: Handler;
  readonly terms: WorkerTerms;
  readonly committer: Committer;
  readonly records = new Records(json);
  readonly store0: StateStore<unknown>;
  readonly store1: StateStore<unknown> | undefined;
  readonly idPrefix: string;
  readonly cuts: boolean;
  readonly #hf: Holdfast;
  readonly #tell: (event: WorkerEvent) => void;
  readonly #partitions: Partitions;
  readonly #share: Share;
  readonly #stop = new AbortController();
  /** Aborts when there is no use in looking for partitions any more. */
  readonly #wake = new AbortController();
  /** Aborts with the first failure: nothing is waited for from then on. */
  readonly #failed = new AbortController();
  readonly #health: StoreHealth;
  readonly #pump: Pump;
  readonly #feeder: Feeder;
  readonly #trials: Trials;
  readonly #tally: Tally;
  /** Tells where the event loop stood still for so long that a renewal can have come too late. */
  readonly #pulse: Pulse;
  #held = false;
  #failure: { readonly error: unknown } | undefined;
  #feeding: Promise<void> | undefined;

  constructor(
    hf: Holdfast,
    committer: Committer,
    handler: Handler,
    terms: WorkerTerms,
    tell: (event: WorkerEvent) => void,
  ) {
    this.#hf = hf;
    this.terms = terms;
    this.#tell = tell;
    this.#tally = new Tally(tell);
    this.handler = handler;
    this.committer = committer;
    this.cuts = terms.itemTimeoutMs !== undefined;
    this.store0 = hf.state(jobStoreName(terms.name));
    this.store1 = committer.sendApart && hf.state(marksStoreName(terms.name));
    this.idPrefix = `${terms.name}:${terms.job.input.sha256.slice(0, 16)}:`;
    this.#health = new StoreHealth(hf, terms.storeTimeoutMs, this.#failed.signal, tell);
    const { opening, job } = terms;
    const { first, file, format } = opening;
    this.#partitions = new Partitions(this, { count: job.partitions, first, round: job.round });
    const { lanes } = this.#partitions;
    const { id, who, leaseMs: ttlMs, name } = terms;
    this.#share = new Share(hf, jobStoreName(name), this.#partitions, { id, who, ttlMs });
    this.#pump = new Pump(lanes, terms.concurrency, () => this.#idle());
    this.#trials = new Trials(this, this.#pump, this.#stop.signal);
    this.#pulse = new Pulse(ttlMs / 3);
    const { partitions, input } = job;
    this.#feeder = new Feeder({ file, size: input.size, format, key: job.key ?? undefined, partitions }, lanes, first);
  }

  /** Partitions that it holds. */
  get partitions(): readonly number[] {
    return [...this.#partitions.lanes.keys()];
  }

  get stats(): Readonly<WorkerStats> {
    return this.#tally.stats;
  }

  get running(): number {
    return this.#pump.running;
  }

  /** Watermarks of the partitions that it holds or has finished, in bytes: pairs of partition and offset. */
  marks(): number[] {
    const marks: number[] = [];
    for (const lane of this.#partitions.lanes.values())
      marks.push(lane.partition, lane.commits.saved.progress.next.offset);
    for (const partition of this.#partitions.finished) marks.push(partition, this.terms.job.input.size);
    return marks;
  }

  /** Finishes what is in hand and commits it, and gives everything up. */
  stop(): void {
    this.#stop.abort();
    this.#wake.abort();
  }

  /**
   * Starts and sends nothing for so many ms of its own time, so that what is handled stays uncommitted. Resolves when no
   * commit is on its way and something is held back, or when the time is over.
   */
  async hold(ms: number): Promise<void> {
    const end = performance.now() + ms;
    this.#held = true;
    this.#pump.hold(true);
    const settled = (): boolean => {
      const lanes = [...this.#partitions.lanes.values()];
      return lanes.every((lane) => !lane.commits.sending) && lanes.some((lane) => lane.commits.gathered > 0);
    };
    setTimeout(() => {
      this.#held = false;
      this.#pump.hold(false);
    }, ms);
    while (!settled() && performance.now() < end) await delay(2);
    // Writes go one after the other: once this one has, none of the worker's other business is on its way either.
    await this.patiently(() => this.#share.sayHere());
  }

  /** Resolves when every partition is finished, or after {@link stop}. Rejects with what made it impossible. */
  async run(): Promise<"done" | "stopped"> {
    const partitions = this.#partitions;
    const share = this.#share;
    const timer = setInterval(() => {
      this.#pulse.beat();
      this.#age(performance.now() - oldestBatch);
    }, ageing);
    try {
      while (!this.stopping && !partitions.complete) {
        const pause = await this.patiently(() => share.balance());
        if (!partitions.complete) await delay(pause ?? 0, this.#wake.signal);
      }
      await partitions.giveUpAll();
      await this.#trials.ended;
      if (!this.#failure) await this.patiently(() => share.leave());
    } finally {
      clearInterval(timer);
      this.#pump.stop();
      await this.#feeding;
    }
    if (this.#failure) throw this.#failure.error;
    return partitions.complete ? "done" : "stopped";
  }

  get stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  store(name: string): StateStore<unknown> {
    return this.#hf.state(name);
  }

  now(): number {
    return performance.now();
  }

  parse(text: string | undefined): unknown {
    const parsed = this.terms.opening.format.parse(text);
    return parsed.ok ? parsed.item : undefined;
  }

  started(): void {
    this.#pump.started();
  }

  ended(): void {
    this.#pump.ended();
  }

  poke(): void {
    this.#pump.poke();
  }

  reran(): void {
    this.#tally.stats.conflicts++;
  }

  runAlone(lane: Lane, item: Item): void {
    this.#pump.runAlone(lane, item);
  }

  tryAlone(lane: Lane, item: Item): void {
    this.#trials.add(lane, item);
  }

  dropAlone(lane: Lane): void {
    this.#pump.dropAlone(lane);
    this.#trials.drop(lane);
  }

  committed(_lane: Lane, batch: Batch): void {
    this.#tally.committed(batch);
  }

  refused(lane: Lane, batch: Batch, error: unknown): void {
    this.#tally.refused(lane, batch, error);
  }

  async recover(lane: Lane, error: unknown): Promise<void> {
    if (isHoldfastError(error, "FENCED")) return lane.stop("lost");
    if (isAway(error)) {
      await this.#back(error);
      // What became of a write whose reply was lost is for the next lease to find out: this one's grant ends with it.
      if (isHoldfastError(error, "INDETERMINATE")) lane.stop("unsure");
      return;
    }
    if (!isHoldfastError(error, "CONFLICT")) return;
    const entry = await this.patiently(() => this.store0.loadEntry(partitionKey(lane.partition)));
    if ((entry?.version ?? null) !== lane.commits.saved.version) return lane.stop("unsure");
    await delay(Math.random() * 5, this.#stop.signal); // so that two who conflict do not do so again
  }

  taken(partition: number, lease: Lease): void {
    this.#tell({ type: "taken", partition, fence: lease.fence.toString() });
    this.records.forget(); // whoever held the partition has changed the records of its keys
  }

  given(partition: number, lost: boolean): void {
    this.#tell(lost ? { type: "lost", partition, why: "its lease ended" } : { type: "given", partition });
    if (this.#partitions.complete) this.#wake.abort();
    this.poke();
  }

  finished(partition: number): void {
    this.#tell({ type: "finished", partition });
  }

  moved(): void {
    this.#feeder.moved();
    this.poke();
  }

  async patiently<T>(request: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (this.#failure) return undefined;
        if (!isAway(error)) return this.fail(error);
        await this.#back(error);
        if (this.#failure) return undefined;
      }
    }
  }

  fail(error: unknown): undefined {
    this.#failure ??= { error };
    this.stop();
    this.#failed.abort();
    return undefined;
  }

  /** Waits for a store that is away, also where the worker is to stop. One that stays away ends it. */
  async #back(error: unknown): Promise<void> {
    try {
      await this.#health.back(error);
    } catch (gone) {
      this.fail(gone);
    }
  }

  #idle(): void {
    const feeding = this.#feeder.next();
    if (feeding && feeding !== this.#feeding) {
      this.#feeding = feeding;
      feeding.then(
        () => this.poke(),
        (error: unknown) => this.fail(error),
      );
    } else if (!feeding && this.#pump.running === 0) this.#age(Infinity);
  }

  get stoodStill(): number {
    return this.#pulse.stoodStill;
  }

  #age(than: number): void {
    if (this.#held) return;
    for (const lane of this.#partitions.lanes.values()) lane.sealOlder(than);
  }
}

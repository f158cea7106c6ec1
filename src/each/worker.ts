import { isHoldfastError } from "../base/errors.ts";
import { json, type Holdfast, type Lease, type StateStore } from "../entries/index.ts";
import type { Batch } from "./batch.ts";
import type { Committer } from "./commit.ts";
import { delay } from "./delay.ts";
import { Feeder } from "./feeder.ts";
import { isAway, StoreHealth } from "./health.ts";
import type { Opening } from "./input/source.ts";
import type { Item } from "./item.ts";
import type { Job } from "./job.ts";
import type { LaneHost } from "./lane-host.ts";
import { Lane, type LaneEnd, type Saved } from "./lane.ts";
import { jobStoreName, partitionKey } from "./layout.ts";
import { nextPass } from "./passes.ts";
import { checkProgress, noCounts, type PartitionProgress } from "./progress.ts";
import { Pump } from "./pump.ts";
import { Records } from "./records.ts";
import { Share } from "./share.ts";
import type { PassContext } from "./pass.ts";
import type { EachEvent, Handler, OnDead } from "./types.ts";

/** How old a batch may get that does not fill up, in ms; and how often that is looked at. */
const oldestBatch = 200;
const ageing = 50;

type WithoutWorker<E> = E extends { readonly worker: number } ? Omit<E, "worker"> : never;
/** What happened in a worker. */
export type WorkerEvent = WithoutWorker<EachEvent>;

/** What a worker is to do. Plain data, but for the input that is open. */
export interface WorkerTerms {
  readonly id: string;
  readonly who: string;
  readonly name: string;
  readonly job: Job;
  readonly opening: Opening;
  readonly concurrency: number;
  readonly retries: number;
  readonly backoffMs: number;
  readonly onDead: OnDead;
  readonly storeTimeoutMs: number;
  readonly leaseMs: number;
}

/** What a worker counts. */
export interface WorkerStats {
  processed: number;
  dead: number;
  waiting: number;
  conflicts: number;
  fenced: number;
}

/** Handles the items of the partitions that it holds, until all partitions of the job are finished. */
export class Worker implements LaneHost {
  readonly handler: Handler;
  readonly retries: number;
  readonly backoffMs: number;
  readonly onDead: OnDead;
  readonly committer: Committer;
  readonly records = new Records(json);
  readonly store0: StateStore<unknown>;
  readonly idPrefix: string;
  readonly stats: WorkerStats = { processed: 0, dead: 0, waiting: 0, conflicts: 0, fenced: 0 };
  readonly #hf: Holdfast;
  readonly #terms: WorkerTerms;
  readonly #tell: (event: WorkerEvent) => void;
  readonly #lanes = new Map<number, Lane>();
  /** Partitions that are being taken or given up, besides the lanes. */
  readonly #holding = new Set<number>();
  readonly #finished = new Set<number>();
  readonly #stop = new AbortController();
  /** Aborts when there is no use in looking for partitions any more. */
  readonly #wake = new AbortController();
  readonly #health: StoreHealth;
  readonly #pump: Pump;
  readonly #feeder: Feeder;
  readonly #keepers = new Set<Promise<void>>();
  #held = false;
  #failure: { readonly error: unknown } | undefined;
  #feeding: Promise<void> | undefined;

  constructor(hf: Holdfast, committer: Committer, handler: Handler, terms: WorkerTerms, tell: (event: WorkerEvent) => void) {
    this.#hf = hf;
    this.#terms = terms;
    this.#tell = tell;
    this.handler = handler;
    this.committer = committer;
    this.retries = terms.retries;
    this.backoffMs = terms.backoffMs;
    this.onDead = terms.onDead;
    this.store0 = hf.state(jobStoreName(terms.name));
    this.idPrefix = `${terms.name}:${terms.job.input.sha256.slice(0, 16)}:`;
    this.#health = new StoreHealth(hf, terms.storeTimeoutMs, this.#stop.signal, tell);
    this.#pump = new Pump(this.#lanes, terms.concurrency, () => this.#idle());
    const { opening, job } = terms;
    const feed = {
      file: opening.file,
      size: job.input.size,
      format: opening.format,
      key: job.key ?? undefined,
      partitions: job.partitions,
    };
    this.#feeder = new Feeder(feed, this.#lanes, opening.first);
  }

  /** Partitions that it holds. */
  get partitions(): readonly number[] {
    return [...this.#lanes.keys()];
  }

  get running(): number {
    return this.#pump.running;
  }

  /** Watermarks of the partitions that it holds or has finished, in bytes: pairs of partition and offset. */
  marks(): number[] {
    const marks: number[] = [];
    for (const lane of this.#lanes.values()) marks.push(lane.partition, lane.saved.progress.next.offset);
    for (const partition of this.#finished) marks.push(partition, this.#terms.job.input.size);
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
      const lanes = [...this.#lanes.values()];
      return lanes.every((lane) => !lane.committing) && lanes.some((lane) => lane.handled > 0);
    };
    setTimeout(() => {
      this.#held = false;
      this.#pump.hold(false);
    }, ms);
    while (!settled() && performance.now() < end) await delay(2);
  }

  /** Resolves when every partition is finished, or after {@link stop}. Rejects with what made it impossible. */
  async run(): Promise<"done" | "stopped"> {
    const { id, who, leaseMs, name } = this.#terms;
    const share = new Share(this.#hf, jobStoreName(name), this.#shared(), { id, who, ttlMs: leaseMs });
    const timer = setInterval(() => this.#age(performance.now() - oldestBatch), ageing);
    try {
      while (!this.#stop.signal.aborted && this.#finished.size < this.#terms.job.partitions) {
        await delay(await this.#guarded(() => share.balance(), 0), this.#wake.signal);
      }
      for (const lane of this.#lanes.values()) lane.stop("drained");
      await Promise.all(this.#keepers);
      if (!this.#failure) await this.#guarded(() => share.leave(), undefined);
    } finally {
      clearInterval(timer);
      this.#pump.stop();
      await this.#feeding;
    }
    if (this.#failure) throw this.#failure.error;
    return this.#finished.size < this.#terms.job.partitions ? "stopped" : "done";
  }

  store(name: string): StateStore<unknown> {
    return this.#hf.state(name);
  }

  now(): number {
    return performance.now();
  }

  parse(text: string | undefined): unknown {
    const parsed = this.#terms.opening.format.parse(text);
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
    this.stats.conflicts++;
  }

  runAlone(lane: Lane, item: Item): void {
    this.#pump.runAlone(lane, item);
  }

  dropAlone(lane: Lane): void {
    this.#pump.dropAlone(lane);
  }

  committed(_lane: Lane, batch: Batch): void {
    this.stats.processed += batch.items.length;
    this.stats.dead += batch.deaths.length;
    this.stats.waiting += batch.passed.size;
    for (const { item, error } of batch.deaths) {
      const event = { type: "dead", id: item.id, error: `${error.name}: ${error.message}` } as const;
      this.#tell(item.key === undefined ? event : { ...event, key: item.key });
    }
  }

  refused({ partition, lease }: Lane, batch: Batch, error: unknown): void {
    const items = batch.items.length;
    if (isHoldfastError(error, "CONFLICT")) {
      this.stats.conflicts += items;
      this.#tell({ type: "conflict", partition, items });
    } else if (isHoldfastError(error, "FENCED")) {
      this.stats.fenced += items;
      this.#tell({ type: "fenced", partition, fence: lease.fence.toString(), items });
    }
  }

  async recover(lane: Lane, error: unknown): Promise<void> {
    if (isHoldfastError(error, "FENCED")) return lane.stop("lost");
    if (isAway(error)) {
      await this.#guarded(() => this.#health.back(error), undefined);
      // What became of a write whose reply was lost is for the next lease to find out: this one's grant ends with it.
      if (isHoldfastError(error, "INDETERMINATE")) lane.stop("unsure");
      return;
    }
    if (!isHoldfastError(error, "CONFLICT")) return;
    const entry = await this.#guarded(() => this.store0.loadEntry(partitionKey(lane.partition)), undefined);
    if ((entry?.version ?? null) !== lane.saved.version) return lane.stop("unsure");
    await delay(Math.random() * 5, this.#stop.signal); // so that two who conflict do not do so again
  }

  #shared(): ConstructorParameters<typeof Share>[2] {
    return {
      partitions: this.#terms.job.partitions,
      finished: this.#finished,
      held: () => [...this.#lanes.keys(), ...this.#holding],
      spare: () => this.#spare(),
      look: (partitions) => this.#look(partitions),
      take: (partition, lease) => this.#take(partition, lease),
      giveUp: (partition) => this.#lanes.get(partition)?.stop("drained"),
    };
  }

  async #look(partitions: readonly number[]): Promise<void> {
    const found = await this.store0.loadMany(partitions.map(partitionKey));
    for (const partition of partitions) {
      const key = partitionKey(partition);
      if (!found.has(key)) continue;
      const { end, round } = checkProgress(found.get(key), key);
      if (end && round >= this.#terms.job.round) this.#finish(partition);
    }
  }

  #finish(partition: number): void {
    this.#finished.add(partition);
    if (this.#finished.size === this.#terms.job.partitions) this.#wake.abort();
  }

  /** Lanes with the least in hand first; none that is about to end by itself. */
  #spare(): number[] {
    const lanes = [...this.#lanes.values()].filter((lane) => !lane.fedAll || lane.waiting > 64);
    return lanes.sort((a, b) => a.waiting - b.waiting).map((lane) => lane.partition);
  }

  async #take(partition: number, lease: Lease): Promise<void> {
    this.#holding.add(partition);
    const saved = await this.#guarded(() => this.#load(partition), undefined);
    if (!saved || this.#stop.signal.aborted) {
      await lease.release();
      this.#holding.delete(partition);
      return;
    }
    this.#tell({ type: "taken", partition, fence: lease.fence.toString() });
    this.records.forget(); // whoever held the partition has changed the records of its keys
    const keeper = this.#keep(partition, lease, saved);
    this.#keepers.add(keeper);
    void keeper.finally(() => this.#keepers.delete(keeper));
  }

  async #load(partition: number): Promise<Saved> {
    const key = partitionKey(partition);
    const entry = await this.store0.loadEntry(key);
    if (entry) return { progress: checkProgress(entry.value, key), version: entry.version };
    const { first } = this.#terms.opening;
    const progress: PartitionProgress = { next: first, above: [], end: false, counts: noCounts, round: this.#terms.job.round };
    return { progress, version: null };
  }

  /** Holds a partition, pass after pass, until it is finished, given up or lost. Never rejects. */
  async #keep(partition: number, lease: Lease, found: Saved): Promise<void> {
    let saved: Saved | undefined = found;
    const context: PassContext = { store: this.store0, partition, onDead: this.onDead, round: this.#terms.job.round };
    let why: LaneEnd = "passed";
    while (saved && why === "passed") {
      const progress: PartitionProgress = saved.progress;
      const pass = await this.#guarded(() => nextPass(context, progress), undefined);
      if (pass === undefined) break;
      if (pass === "finished") {
        this.#finish(partition);
        this.#tell({ type: "finished", partition });
        break;
      }
      const lane: Lane = new Lane(partition, lease, saved, pass, this);
      this.#lanes.set(partition, lane);
      this.#holding.delete(partition);
      this.#feeder.moved();
      if (this.#stop.signal.aborted) lane.stop("drained");
      this.poke();
      why = await lane.ended;
      this.#holding.add(partition);
      this.#lanes.delete(partition);
      this.#feeder.moved();
      if (why === "passed") saved = await this.#finishPass(lane);
    }
    const released = await lease.release();
    this.#holding.delete(partition);
    if (why === "lost" || released === "lost") this.#tell({ type: "lost", partition, why: "its lease ended" });
    else this.#tell({ type: "given", partition });
    this.poke();
  }

  /** Writes what is left when a pass is through, in groups that the store takes. */
  async #finishPass(lane: Lane): Promise<Saved | undefined> {
    const { pass, lease, partition } = lane;
    let { saved } = lane;
    const { progress, changes } = pass.finish(saved.progress);
    const most = this.committer.maxChanges - 1;
    for (let i = 0; i < changes.length || (progress !== saved.progress && i === 0); i += most) {
      const last = i + most >= changes.length;
      const next = last ? progress : saved.progress;
      const own = { store: this.store0, key: partitionKey(partition), base: saved.version, write: { value: next, ttl: undefined } };
      const sent = this.committer.send([own, ...changes.slice(i, i + most)], lease);
      try {
        await sent.done;
      } catch (error) {
        await this.recover(lane, error);
        return undefined; // whoever takes the partition next does it
      }
      saved = { progress: next, version: sent.versions[0] ?? null };
    }
    return saved;
  }

  #idle(): void {
    const feeding = this.#feeder.next();
    if (feeding && feeding !== this.#feeding) {
      this.#feeding = feeding;
      feeding.then(
        () => this.poke(),
        (error: unknown) => this.#fail(error),
      );
    } else if (!feeding && this.#pump.running === 0) this.#age(Infinity);
  }

  #age(than: number): void {
    if (this.#held) return;
    for (const lane of this.#lanes.values()) lane.sealOlder(than);
  }

  /** The result of a request that is made again while the store is away; `otherwise` where that ends the worker. */
  async #guarded<T>(request: () => Promise<T>, otherwise: T): Promise<T> {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (this.#stop.signal.aborted && this.#failure) return otherwise;
        if (!isAway(error)) return this.#fail(error, otherwise);
        try {
          await this.#health.back(error);
        } catch (gone) {
          return this.#stop.signal.aborted ? otherwise : this.#fail(gone, otherwise);
        }
      }
    }
  }

  #fail<T>(error: unknown, otherwise?: T): T {
    this.#failure ??= { error };
    this.stop();
    return otherwise as T;
  }
}

import { UnsupportedError } from "../base/errors.ts";
import type { Lease } from "../entries/index.ts";
import { tagOf } from "../base/tags.ts";
import { Backoff } from "./backoff.ts";
import type { Batch } from "./batch.ts";
import { callHandler } from "./call-handler.ts";
import { Run } from "./context.ts";
import { describe } from "./describe.ts";
import { DoneMarks } from "./done-marks.ts";
import { Hands, type HandsOwner } from "./hands.ts";
import { Stage, used, type Fault, type Item } from "./item.ts";
import { LaneCommits, type CommitsOwner } from "./lane-commits.ts";
import type { LaneHost } from "./lane-host.ts";
import { LaneQueue } from "./lane-queue.ts";
import type { Pass } from "./pass.ts";
import type { Position } from "./progress.ts";
import type { Saved } from "./send-batch.ts";
import { Watch } from "./watch.ts";

/** How often in a row an item may run for nothing, before it runs alone. */
const mostStale = 3;

/** Why a lane ended: its pass is through; it was given up; its lease is lost; or nobody knows what its last commit did. */
export type LaneEnd = "passed" | "drained" | "lost" | "unsure";

/** The items of one partition while this worker holds it: handles them, each key's one after the other, and commits. */
export class Lane implements CommitsOwner, HandsOwner {
  readonly partition: number;
  readonly lease: Lease;
  readonly pass: Pass;
  readonly watch: Watch;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<LaneEnd>;
  /** Up to where it was fed. */
  fed: Position;
  /** No item follows for its pass. */
  fedAll = false;
  readonly #host: LaneHost;
  readonly #queue = new LaneQueue();
  readonly #commits: LaneCommits;
  readonly #hands: Hands;
  /** Where items commit apart from their progress. */
  readonly #marks: DoneMarks | undefined;
  readonly #backoff: Backoff;
  #running = 0;
  #recovering = false;
  #stopping: LaneEnd | undefined;
  #end!: (why: LaneEnd) => void;

  constructor(partition: number, lease: Lease, saved: Saved, pass: Pass, host: LaneHost) {
    this.partition = partition;
    this.lease = lease;
    this.pass = pass;
    this.watch = new Watch(host.terms, saved.progress);
    this.fed = pass.from;
    this.#host = host;
    this.#backoff = new Backoff(host.terms.backoffMs);
    const to = { store: host.store0, partition, lease, committer: host.committer, records: host.records };
    const { store1 } = host;
    this.#marks = store1 && new DoneMarks(store1, pass.from.id, saved.progress.round, () => host.now());
    this.#commits = new LaneCommits(this, this.#queue, host, to, saved, this.#marks);
    this.#hands = new Hands(this, this.watch, this.#queue, this.#commits);
    this.ended = new Promise((resolve) => (this.#end = resolve));
    lease.signal.addEventListener("abort", () => this.stop("lost"), { once: true });
    if (lease.signal.aborted) queueMicrotask(() => this.stop("lost"));
  }

  /** Its items. What is in it bounds what it is fed. */
  get items(): Pick<LaneQueue, "open" | "span" | "chars"> {
    return this.#queue;
  }

  /** Its commits. */
  get commits(): Pick<LaneCommits, "saved" | "sending" | "gathered"> {
    return this.#commits;
  }

  /** Takes a record of its partition. Must be called in the order of the input. */
  take(item: Item): void {
    const interest = this.pass.interest(item.id, item.key);
    if (interest === "none") return;
    if (interest === "ended") item.stage = Stage.committed;
    if (!this.watch.easy) this.watch.meet(item);
    this.#queue.take(item);
  }

  /** Handlers that run. */
  get running(): number {
    return this.#running;
  }

  get broken(): boolean {
    return this.#stopping !== undefined || this.#commits.refusal !== undefined;
  }

  /** Whether an item can be started now. Where what is in hand must be recorded before, that is begun. */
  offer(): boolean {
    if (this.#stopping !== undefined || !this.#commits.hasRoom(this.#running)) return false;
    return this.watch.easy ? this.#queue.hasReady : this.#hands.offer();
  }

  /** Starts the next item. */
  startNext(): void {
    this.start(this.watch.easy ? this.#queue.shift() : this.#hands.next());
  }

  wantAlone(item: Item): void {
    this.#host.tryAlone(this, item);
  }

  /** Runs an item while nothing else runs in this process; resolves when it has come to an end, or the lane goes on without. */
  async tryAlone(item: Item): Promise<void> {
    if (this.wants(item)) await this.#hands.tryAlone(item);
  }

  poke(): void {
    this.#host.poke();
  }

  /** Whether an item is still to be handled: a worker may hold one back to run it alone. */
  wants(item: Item): boolean {
    return item.stage === Stage.open && !this.broken;
  }

  /** Starts an item that is this lane's. */
  start(item: Item): void {
    const { key } = item;
    this.watch.starting(item);
    const tag = this.#marks && key !== undefined ? tagOf(key) : undefined;
    const run = new Run(item, this.lease, this.#host, tag);
    const passed = key === undefined ? false : this.pass.passesOver(key);
    const loading = passed ? undefined : this.#marks?.hold(item);
    const known = passed !== undefined && !loading;
    if (known && this.#decide(run, passed)) {
      if (!passed) this.#marks?.free(item);
      return this.check();
    }
    this.#running++;
    this.#host.started();
    if (!known) return void this.#ask(run, passed, loading);
    this.#handle(run);
  }

  /** Ends an item for which no handler is called; whether it is one. */
  #decide(run: Run, passed: boolean): boolean {
    const { item } = run;
    if (passed) this.#commits.passOver(item);
    else if (item.fault) this.#merge(run, item.fault);
    else if (this.#marks?.has(item)) this.#merge(run, undefined);
    else return false;
    return true;
  }

  /** Sends what is handled, where nothing is on its way, if it has waited since before that time. */
  sealOlder(than: number): void {
    this.#commits.sealOlder(than);
  }

  /** Starts nothing more; ends when what is in hand has committed. What a lost lane commits is refused. */
  stop(why: "drained" | "lost" | "unsure"): void {
    if (this.#stopping === undefined || why !== "drained") this.#stopping = why;
    this.#backoff.clear();
    this.check();
  }

  /** Goes on with whatever is due once nothing runs: ends, recovers, or completes its pass. */
  check(): void {
    const commits = this.#commits;
    if (this.#running > 0 || this.#recovering) return;
    if (this.#stopping !== undefined) commits.seal();
    if (commits.sending) return;
    if (this.#stopping !== undefined) return this.#finish(this.#stopping);
    if (commits.refusal) return void this.#recover(commits.refusal.error);
    if (commits.sealCareful() || this.#hands.settle()) return;
    if (this.fedAll && this.#queue.open === 0 && !commits.complete()) this.#finish("passed");
  }

  committed(batch: Batch): void {
    this.#host.committed(this, batch);
    this.check();
    this.#host.poke();
  }

  refused(batch: Batch, error: unknown): void {
    this.#host.refused(this, batch, error);
    this.check();
    this.#host.poke();
  }

  async #ask(run: Run, known: boolean | undefined, loading: Promise<void> | undefined): Promise<void> {
    const { item } = run;
    let passed: boolean;
    loading?.catch(() => undefined); // it may fail first, or not matter
    try {
      passed = known ?? (await this.pass.ask(item.key as string));
      if (!passed) await loading;
    } catch (error) {
      run.fail(error);
      return this.#complete(run);
    }
    if (!passed && !item.fault && !this.#marks?.has(item)) return this.#handle(run);
    this.#ran(run);
    if (this.wants(item)) this.#decide(run, passed);
    this.#marks?.free(item);
    this.check();
    this.#host.poke();
  }

  #handle(run: Run): void {
    const { item } = run;
    if (item.value === used) item.value = this.#host.parse(item.text);
    const { value } = item;
    item.value = used;
    callHandler(this.#host.handler, value, run, this.#host.terms.itemTimeoutMs, () => this.#complete(run));
  }

  #ran(run: Run): void {
    run.over = true;
    this.#running--;
    this.#host.ended();
  }

  #complete(run: Run): void {
    this.#ran(run);
    // What ran before a refusal counts for nothing; what a lost lane ran goes on to be refused, and is counted then.
    if (run.item.stage === Stage.open && !this.#commits.refusal && this.#stopping !== "unsure") this.#settle(run);
    run.release();
    this.#marks?.free(run.item);
    this.check();
    this.#host.poke();
  }

  #settle(run: Run): void {
    if (run.away) this.#commits.break(run.failure);
    else if (!run.isCurrent()) this.#again(run.item);
    else if (run.failure !== undefined) this.#failed(run, run.failure);
    else this.#merge(run, undefined);
  }

  /** Runs an item once more that has read what was then changed: alone, if that goes on. */
  #again(item: Item): void {
    this.#host.reran();
    if (++item.stale > mostStale && this.watch.easy) this.#host.runAlone(this, item);
    else this.#queue.again(item);
  }

  #failed(run: Run, error: unknown): void {
    const { item } = run;
    item.failures++;
    if (item.failures > this.#host.terms.retries || run.hopeless) return this.#merge(run, describe(error));
    // It may have failed because of what this process wrongly believed.
    for (const { record } of run.uses) this.#host.records.drop(record);
    if (this.#stopping !== undefined) return;
    this.#backoff.wait(item.failures, () => {
      this.#queue.again(item);
      this.#host.poke();
    });
  }

  #merge(run: Run, death: Fault | undefined): void {
    const { item, uses } = run;
    const { mostTouches } = this.#commits;
    if (uses.length > mostTouches) {
      const many = `the item reads and writes ${uses.length} records, and at most ${mostTouches} can commit at once here`;
      const error = new UnsupportedError(many);
      item.failures = Math.max(item.failures, this.#host.terms.retries); // it would be the same again
      return this.#failed(new Run(item, this.lease, this.#host, undefined), error);
    }
    if (death) this.pass.died(item);
    this.#commits.merge(run, death);
  }

  async #recover(error: unknown): Promise<void> {
    this.#recovering = true;
    await this.#host.recover(this, error);
    this.#recovering = false;
    if (this.#stopping !== undefined) return this.#finish(this.#stopping);
    this.#host.dropAlone(this);
    this.#backoff.clear();
    this.#hands.drop();
    this.#commits.restart();
    this.check();
    this.#host.poke();
  }

  #finish(why: LaneEnd): void {
    this.#stopping = why === "passed" ? "drained" : why;
    this.#commits.drop();
    this.#hands.drop();
    this.#end(why);
  }
}

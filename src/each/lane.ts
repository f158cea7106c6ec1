import { isHoldfastError, UnsupportedError } from "../base/errors.ts";
import type { Lease, Version } from "../entries/index.ts";
import { Batch } from "./batch.ts";
import type { Change, Sent } from "./commit.ts";
import { Run } from "./context.ts";
import { Item, Stage, used } from "./item.ts";
import type { LaneHost } from "./lane-host.ts";
import { partitionKey } from "./layout.ts";
import type { Pass } from "./pass.ts";
import { Ahead, type PartitionProgress, type Position } from "./progress.ts";

/** Characters of items and values in a batch. */
const mostChars = 512 * 1024;
/** Batches of a lane that are on their way at once: each builds on the one before. */
const mostSent = 3;
/** Dead letters in a batch: each brings two records. */
const mostDeaths = 16;
/** From this number on, a batch after a conflict is as good as any. */
const careless = 1024;

/** What is stored of a partition, with its version. */
export interface Saved {
  readonly progress: PartitionProgress;
  readonly version: Version | null;
}

/** Why a lane stopped. */
export type LaneEnd = "passed" | "drained" | "lost" | "unsure";

/**
 * The items of one partition while this worker holds it: handles them, each key's one after the other, gathers what they
 * wrote, and commits it in groups.
 *
 * Groups are sent one after the other without waiting for their outcome: each checks the progress that the one before wrote. So
 * when one is refused, all that follow are, and everything that is not committed is done again.
 */
export class Lane {
  readonly partition: number;
  readonly lease: Lease;
  readonly pass: Pass;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<LaneEnd>;
  /** Up to where it was fed. */
  fed: Position;
  /** No item follows for its pass. */
  fedAll = false;
  readonly #host: LaneHost;
  readonly #ahead = new Ahead<Item>();
  readonly #tails = new Map<string, Item>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #ready: Item[] = [];
  #head = 0;
  #open = 0;
  #chars = 0;
  #running = 0;
  #sent = 0;
  #unsettled = 0;
  #batch: Batch | undefined;
  #saved: Saved;
  #latest: Saved;
  #limit = careless;
  #refusal: unknown = undefined;
  #broken = false;
  #recovering = false;
  #stopping: LaneEnd | undefined;
  #end!: (why: LaneEnd) => void;

  constructor(partition: number, lease: Lease, saved: Saved, pass: Pass, host: LaneHost) {
    this.partition = partition;
    this.lease = lease;
    this.#host = host;
    this.pass = pass;
    this.#saved = this.#latest = saved;
    this.fed = pass.from;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    lease.signal.addEventListener("abort", () => this.stop("lost"), { once: true });
    if (lease.signal.aborted) queueMicrotask(() => this.stop("lost"));
  }

  /** Items that wait to be handled, and items that may not be forgotten yet: both bound what it is fed. */
  get waiting(): number {
    return this.#open;
  }

  get span(): number {
    return this.#ahead.size;
  }

  /** Characters of items that are not committed. */
  get chars(): number {
    return this.#chars;
  }

  /** Handlers that run. */
  get running(): number {
    return this.#running;
  }

  /** Items that are handled and not sent. */
  get handled(): number {
    return this.#batch?.items.length ?? 0;
  }

  /** Whether a commit is on its way. */
  get committing(): boolean {
    return this.#sent > 0;
  }

  /** The stored progress, as of the last commit. */
  get saved(): Saved {
    return this.#saved;
  }

  /** The first record number that its pass has no interest in. */
  get until(): number {
    return this.pass.until;
  }

  /** Takes a record of its partition. Must be called in the order of the input. */
  take(id: number, offset: number, key: string | undefined, text: string | undefined, value: unknown, fault?: string): void {
    const interest = this.pass.interest(id, key);
    if (interest === "none") return;
    const item = new Item(id, offset, key, text, value, fault);
    if (interest === "ended") item.stage = Stage.committed;
    this.#ahead.push(item);
    if (interest !== "take") return;
    this.#chars += text?.length ?? 0;
    this.#enqueue(item);
  }

  /** Whether an item could be started now. */
  get canStart(): boolean {
    if (this.#head >= this.#ready.length || this.#broken || this.#stopping !== undefined || this.#sent >= mostSent) return false;
    return this.#limit >= careless || this.#running + this.#unsettled < this.#limit;
  }

  /** Starts the next item. */
  startNext(): void {
    const item = this.#ready[this.#head++] as Item;
    if (this.#head > 512 && this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
    this.start(item);
  }

  /** Whether an item is still to be handled: a worker may hold one back to run it alone. */
  wants(item: Item): boolean {
    return item.stage === Stage.open && !this.#broken && this.#stopping === undefined;
  }

  start(item: Item): void {
    const run = new Run(item, this.lease, this.#host);
    const passed = item.key === undefined ? false : this.pass.passesOver(item.key);
    if (passed === true || (passed === false && item.fault !== undefined)) {
      if (passed) this.#passOver(item);
      else this.#die(run, { name: "InputError", message: item.fault as string });
      return this.check();
    }
    this.#running++;
    this.#host.started();
    if (passed === undefined) return void this.#ask(run, item.key as string);
    this.#handle(run);
  }

  /** Sends what is handled, if there is anything, though the batch is not full. */
  seal(): void {
    if (this.#batch) this.#send(this.#batch);
  }

  /** As {@link seal}, for a batch opened before that time. */
  sealOlder(than: number): void {
    if (this.#batch && this.#batch.opened < than && this.#sent === 0 && !this.#broken) this.#send(this.#batch);
  }

  /** Starts nothing more; ends when what is in hand has committed. A lost lane commits nothing any more. */
  stop(why: "drained" | "lost" | "unsure"): void {
    if (this.#stopping === undefined || why !== "drained") this.#stopping = why;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.check();
  }

  /** Goes on with whatever is due once nothing runs: ends, recovers, or completes its pass. */
  check(): void {
    if (this.#running > 0 || this.#recovering) return;
    if (this.#stopping !== undefined && !this.#broken) this.seal();
    if (this.#sent > 0) return;
    if (this.#stopping !== undefined) return this.#finish(this.#stopping);
    if (this.#broken) return void this.#recover();
    // Careful after a conflict: nothing is left to go with what is handled.
    if (this.#batch && this.#limit < careless && this.#head >= this.#ready.length) return this.#send(this.#batch);
    if (!this.fedAll || this.#open > 0) return;
    if (this.#batch || !this.pass.isThrough(this.#saved.progress)) return this.#send(this.#batch ?? this.#newBatch());
    this.#finish("passed");
  }

  #enqueue(item: Item): void {
    this.#open++;
    if (item.key !== undefined) {
      const tail = this.#tails.get(item.key);
      this.#tails.set(item.key, item);
      if (tail) {
        tail.next = item;
        return;
      }
    }
    this.#ready.push(item);
  }

  async #ask(run: Run, key: string): Promise<void> {
    try {
      const passed = await this.pass.ask(key);
      if (!passed) return this.#handle(run);
      this.#ran(run);
      if (this.wants(run.item)) this.#passOver(run.item);
    } catch (error) {
      run.fail(error);
      this.#complete(run);
    }
    this.#host.poke();
  }

  #handle(run: Run): void {
    const { item } = run;
    if (item.value === used) item.value = this.#host.parse(item.text);
    const { value } = item;
    item.value = used;
    let result: unknown;
    try {
      result = this.#host.handler(value, run);
    } catch (error) {
      return this.#threw(run, error);
    }
    if (typeof result === "object" && result !== null && typeof (result as PromiseLike<unknown>).then === "function") {
      (result as PromiseLike<unknown>).then(
        () => this.#complete(run),
        (error: unknown) => this.#threw(run, error),
      );
    } else this.#complete(run);
  }

  #ran(run: Run): void {
    run.over = true;
    this.#running--;
    this.#host.ended();
  }

  #complete(run: Run): void {
    this.#ran(run);
    const { item } = run;
    if (!this.#isLive(item)) {
      // Its run counts for nothing.
    } else if (run.away) this.#break(run.failure);
    else if (!run.isCurrent()) this.#again(item);
    else if (run.failure !== undefined) this.#failed(run, run.failure);
    else this.#merge(run, undefined);
    run.release();
    this.check();
    this.#host.poke();
  }

  #threw(run: Run, error: unknown): void {
    run.failure ??= error ?? new Error("the handler failed without an error");
    this.#complete(run);
  }

  /** A lost lane's items go on to be refused by the store, which is counted. */
  #isLive(item: Item): boolean {
    return item.stage === Stage.open && !this.#broken && this.#stopping !== "unsure";
  }

  /** Runs an item once more that has read what was then changed: alone, if that goes on. */
  #again(item: Item): void {
    this.#host.reran();
    if (++item.stale > 3) this.#host.runAlone(this, item);
    else this.#ready.push(item);
  }

  #failed(run: Run, error: unknown): void {
    const { item } = run;
    item.failures++;
    if (item.failures > this.#host.retries) return this.#die(run, describe(error));
    // It may have failed because of what this process wrongly believed.
    for (const { record } of run.uses) this.#host.records.drop(record);
    if (this.#stopping !== undefined) return;
    const wait = Math.min(this.#host.backoffMs * 2 ** (item.failures - 1), 60_000);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#ready.push(item);
      this.#host.poke();
    }, wait);
    this.#timers.add(timer);
  }

  #die(run: Run, error: { readonly name: string; readonly message: string }): void {
    for (const use of run.uses) use.wrote = false; // its reads are checked, its writes are dropped
    this.#merge(run, error);
  }

  #passOver(item: Item): void {
    const batch = this.#room(0);
    batch.passed.add(item);
    this.#add(batch, item);
  }

  #merge(run: Run, death: { readonly name: string; readonly message: string } | undefined): void {
    const { item, uses } = run;
    if (uses.length > this.#mostTouches) {
      const most = `the item reads and writes ${uses.length} records, more than the ${this.#mostTouches} that can commit at once here`;
      return this.#failed(new Run(item, this.lease, this.#host), new UnsupportedError(most));
    }
    const batch = this.#room(uses.length);
    for (const { record, seen } of uses) if (seen >= 0) batch.read(record);
    for (const { record, wrote, payload, ttl } of uses) {
      if (!wrote) continue;
      batch.write(record, payload, ttl);
      this.#host.records.grew(payload?.length ?? 0);
    }
    if (death) {
      batch.deaths.push({ item, error: death });
      if (item.key !== undefined && this.#host.onDead === "stop-key") this.pass.stop(item.key);
    }
    this.#add(batch, item);
  }

  get #mostTouches(): number {
    return this.#host.committer.maxChanges - 1 - 2 * Math.max(mostDeaths, this.pass.mostItems < careless ? this.pass.mostItems : 0);
  }

  /** The batch to add to, with room for so many records. */
  #room(records: number): Batch {
    if (this.#batch && this.#batch.touches.size + records > this.#mostTouches) this.#send(this.#batch);
    return this.#batch ?? this.#newBatch();
  }

  #newBatch(): Batch {
    return (this.#batch = new Batch(this.#host.now(), () => this.seal()));
  }

  #add(batch: Batch, item: Item): void {
    item.stage = Stage.handled;
    item.stale = 0;
    this.#open--;
    this.#unsettled++;
    batch.add(item);
    const { key, next } = item;
    if (next) {
      item.next = undefined;
      this.#ready.push(next);
    } else if (key !== undefined) this.#tails.delete(key);
    const full = batch.items.length >= Math.min(this.pass.mostItems, this.#limit) || batch.chars >= mostChars;
    if (full || batch.deaths.length >= mostDeaths) this.#send(batch);
  }

  #send(batch: Batch): void {
    this.#batch = undefined;
    for (const item of batch.items) item.stage = Stage.sent;
    const mark = (): Pick<PartitionProgress, "next" | "above" | "end"> => {
      const marked = this.#ahead.mark((item) => item.stage >= Stage.sent, this.fed, this.pass.ended);
      return { ...marked, end: this.fedAll && this.#open === 0 };
    };
    const { progress, changes } = this.pass.advance(this.#latest.progress, batch, mark);
    const all: Change[] = [
      { store: this.#host.store0, key: partitionKey(this.partition), base: this.#latest.version, write: { value: progress, ttl: undefined } },
      ...changes,
    ];
    const own = all.length;
    for (const [record, { base, write, ttl }] of batch.touches) {
      const at = { store: record.store, key: record.key, base };
      if (!write) all.push(at);
      else if (record.payload !== undefined) all.push({ ...at, write: { value: this.#host.records.decode(record.payload), ttl } });
      else if (base !== null) all.push({ ...at, write: "delete" });
      else all.push(at); // written and removed again: it must still be absent
    }
    const sent: Sent = this.#host.committer.send(all, this.lease);
    let i = own;
    for (const [record, { write }] of batch.touches) {
      if (write) record.version = sent.versions[i] ?? null;
      i++;
    }
    batch.close();
    const saved: Saved = { progress, version: sent.versions[0] as Version };
    this.#latest = saved;
    this.#sent++;
    sent.done.then(
      () => this.#committed(batch, saved),
      (error: unknown) => this.#refused(batch, error),
    );
  }

  #committed(batch: Batch, saved: Saved): void {
    this.#sent--;
    this.#saved = saved;
    this.#unsettled -= batch.items.length;
    for (const item of batch.items) {
      item.stage = Stage.committed;
      this.#chars -= item.text?.length ?? 0;
      item.text = undefined;
    }
    this.#ahead.advance((item) => item.stage === Stage.committed);
    batch.unpin();
    this.#limit = Math.min(this.#limit * 2, careless);
    this.#host.committed(this, batch);
    this.check();
    this.#host.poke();
  }

  #refused(batch: Batch, error: unknown): void {
    this.#sent--;
    this.#giveUp(batch);
    this.#host.refused(this, batch, error);
    this.#break(error);
    this.check();
    this.#host.poke();
  }

  /** Nothing that is not committed counts any more. */
  #break(error: unknown): void {
    // What refused the first of a chain is the reason; the others follow from it.
    if (!this.#broken) this.#refusal = error;
    this.#broken = true;
    if (this.#batch) this.#giveUp(this.#batch);
    this.#batch = undefined;
  }

  #giveUp(batch: Batch): void {
    batch.close();
    batch.unpin();
    for (const record of batch.touches.keys()) this.#host.records.drop(record);
    for (const item of batch.items) item.stage = Stage.open;
  }

  async #recover(): Promise<void> {
    this.#recovering = true;
    const error = this.#refusal;
    try {
      await this.#host.recover(this, error);
    } finally {
      this.#recovering = false;
    }
    if (this.#stopping !== undefined) return this.#finish(this.#stopping);
    if (!isHoldfastError(error, "UNAVAILABLE")) this.#blame(error);
    this.#latest = this.#saved;
    this.#restart();
    this.#broken = false;
    this.check();
    this.#host.poke();
  }

  /** A commit that can never succeed is the fault of an item: of the only one, or of one among them, found one by one. */
  #blame(error: unknown): void {
    const conflict = isHoldfastError(error, "CONFLICT");
    const single = this.#limit === 1;
    this.#limit = 1;
    if (conflict || !single) return;
    for (const item of this.#ahead) {
      if (item.stage === Stage.committed) continue;
      item.failures++;
      item.fault = describe(error).message;
      return;
    }
  }

  #restart(): void {
    this.#host.dropAlone(this);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#tails.clear();
    this.#ready = [];
    this.#head = this.#open = this.#unsettled = 0;
    for (const item of this.#ahead) {
      if (item.stage === Stage.committed) continue;
      item.stage = Stage.open;
      item.next = undefined;
      item.value = used;
      this.#enqueue(item);
    }
  }

  #finish(why: LaneEnd): void {
    this.#stopping = why === "passed" ? "drained" : why;
    if (this.#batch) this.#giveUp(this.#batch);
    this.#batch = undefined;
    this.#end(why);
  }
}

/** What of an error is kept: no stack, and a bounded text. */
function describe(error: unknown): { name: string; message: string } {
  if (error instanceof Error) return { name: error.name.slice(0, 100), message: error.message.slice(0, 1000) };
  return { name: "Error", message: String(error).slice(0, 1000) };
}

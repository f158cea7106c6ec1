import { isHoldfastError } from "../base/errors.ts";
import { Batch } from "./batch.ts";
import type { Run } from "./context.ts";
import { describe } from "./describe.ts";
import { Stage, type Fault, type Item } from "./item.ts";
import type { LaneHost } from "./lane-host.ts";
import type { LaneQueue } from "./lane-queue.ts";
import type { Advance, Pass } from "./pass.ts";
import type { Position } from "./progress.ts";
import type { DoneMarks } from "./done-marks.ts";
import { sendApart, type Apart } from "./send-apart.ts";
import { sendBatch, type Destination, type Saved, type SentBatch } from "./send-batch.ts";
import type { Watch } from "./watch.ts";

/** Characters of items and values in a batch. */
const mostChars = 512 * 1024;
/** Batches on their way at once: each builds on the one before. */
const mostSent = 3;
/** Dead letters in a batch: each brings two records. */
const mostDeaths = 16;
/** From this number of items on, a batch after a conflict is as good as any. */
const careless = 1024;

/** What the commits of a lane need of it. */
export interface CommitsOwner {
  readonly pass: Pass;
  readonly fed: Position;
  readonly fedAll: boolean;
  readonly watch: Watch;
  committed(batch: Batch): void;
  refused(batch: Batch, error: unknown): void;
}

/**
 * Gathers what a lane's items have written, and commits it in groups.
 *
 * Groups are sent one after the other without waiting for their outcome: each checks the progress that the one before wrote. So
 * when one is refused, all that follow are, and everything that is not committed is done again: an item alone at first, then
 * more at a time.
 */
export class LaneCommits {
  readonly #owner: CommitsOwner;
  readonly #queue: LaneQueue;
  readonly #host: LaneHost;
  readonly #to: Destination;
  /** Set where items commit apart from their progress. */
  readonly #apart: Apart | undefined;
  /** The last batch that was sent apart from its progress. */
  #tail: Promise<unknown> = Promise.resolve();
  #batch: Batch | undefined;
  #saved: Saved;
  #latest: Saved;
  #sent = 0;
  /** Items that are handled and not committed. */
  #unsettled = 0;
  #limit = careless;
  #refusal: { readonly error: unknown } | undefined;
  /** The only item of the batch that was refused. */
  #suspect: Item | undefined;

  constructor(
    owner: CommitsOwner,
    queue: LaneQueue,
    host: LaneHost,
    to: Destination,
    saved: Saved,
    marks: DoneMarks | undefined,
  ) {
    this.#owner = owner;
    this.#queue = queue;
    this.#host = host;
    this.#to = to;
    const { sendApart: send } = to.committer;
    this.#apart = marks && send && { ...to, marks, sendApart: send };
    this.#saved = this.#latest = saved;
  }

  /** The stored progress, as of the last commit. */
  get saved(): Saved {
    return this.#saved;
  }

  /** Whether a commit is on its way. */
  get sending(): boolean {
    return this.#sent > 0;
  }

  /** Items that are handled and not sent. */
  get gathered(): number {
    return this.#batch?.items.length ?? 0;
  }

  /** Why nothing counts that is not committed; until {@link restart}. */
  get refusal(): { readonly error: unknown } | undefined {
    return this.#refusal;
  }

  /** Most records that an item may read and write. */
  get mostTouches(): number {
    const { mostItems } = this.#owner.pass;
    // Progress, dead letters, and in a round of retries a stopped key and a dead letter for each item.
    return this.#host.committer.maxSteps - 1 - 2 * Math.max(mostDeaths, mostItems < careless ? mostItems : 0);
  }

  /** Whether another item may be started while so many run. */
  hasRoom(running: number): boolean {
    if (this.#refusal || this.#sent >= mostSent) return false;
    return this.#limit >= careless || running + this.#unsettled < this.#limit;
  }

  /** Takes what a run has left, or the failure that it ended with. */
  merge(run: Run, death: Fault | undefined): void {
    const { item, uses } = run;
    if (this.#batch && this.#batch.size + uses.length >= this.mostTouches) this.seal();
    const batch = this.#open();
    // A dead item is in no mark, which may be why it died: its own could not be loaded.
    if (this.#apart && item.key !== undefined && !death) {
      void this.#apart.marks.hold(item); // it is loaded: its handler has run, or it was found there
      batch.held.push(item);
      if (uses.length > 0) batch.mark(item.key, item.id);
    }
    for (const { record, seen } of uses) if (seen >= 0) batch.read(record);
    // What a failed item has read is checked, what it wrote is dropped.
    for (const { record, wrote, payload, ttl } of uses) {
      if (!wrote || death) continue;
      batch.write(record, payload, ttl);
      this.#host.records.grew(payload?.length ?? 0);
    }
    if (death) batch.deaths.push({ item, error: death });
    this.#add(batch, item);
  }

  /** Takes an item that waits behind a dead letter. */
  passOver(item: Item): void {
    const batch = this.#open();
    batch.passed.add(item);
    this.#add(batch, item);
  }

  /** Sends what was gathered, if there is anything. */
  seal(): void {
    if (this.#batch) void this.#send(this.#batch);
  }

  /** As {@link seal}, where nothing is on its way, for a batch that was opened before that time. */
  sealOlder(than: number): void {
    if (this.#batch && this.#batch.opened < than && this.#sent === 0) void this.#send(this.#batch);
  }

  /** As {@link seal}, where nothing more will join the batch that a careful lane has. */
  sealCareful(): boolean {
    if (!this.#batch || this.#limit >= careless || this.#queue.hasReady) return false;
    void this.#send(this.#batch);
    return true;
  }

  /** Commits what is in hand, with what was gathered; whether that is stored. */
  async flush(): Promise<boolean> {
    return this.#refusal === undefined && this.#send(this.#open());
  }

  /** Commits that the pass is through, with what was gathered; false if that is stored already. */
  complete(): boolean {
    if (!this.#batch && this.#owner.pass.isThrough(this.#saved.progress)) return false;
    void this.#send(this.#open());
    return true;
  }

  /** Nothing that is not committed counts any more. */
  break(error: unknown): void {
    // What refused the first of a chain is the reason; the others follow from it.
    this.#refusal ??= { error };
    this.drop();
  }

  /** Gives up what was gathered and not sent. */
  drop(): void {
    if (this.#batch) this.#giveUp(this.#batch);
    this.#batch = undefined;
  }

  /** Starts anew from what is committed, once nothing is on its way. */
  restart(): void {
    this.#tail = Promise.resolve();
    this.#apart?.marks.forget();
    const error = this.#refusal?.error;
    if (!isHoldfastError(error, "UNAVAILABLE")) {
      this.#limit = 1;
      // A commit that can never succeed is the fault of an item: of the only one, or of one among them, found one by one.
      if (this.#suspect && !isHoldfastError(error, "CONFLICT")) {
        // Not even as a dead letter: nobody gets past it.
        if (this.#suspect.fault) this.#host.fail(error);
        this.#suspect.failures++;
        this.#suspect.fault = describe(error);
      }
    }
    this.#suspect = undefined;
    this.#refusal = undefined;
    this.#latest = this.#saved;
    this.#unsettled = 0;
    this.#owner.pass.restart();
    this.#queue.restart();
  }

  #open(): Batch {
    return (this.#batch ??= new Batch(this.#host.now(), () => this.seal()));
  }

  #add(batch: Batch, item: Item): void {
    item.stage = Stage.handled;
    item.stale = 0;
    this.#unsettled++;
    batch.add(item);
    this.#queue.handled(item);
    const most = Math.min(this.#owner.pass.mostItems, this.#limit);
    if (batch.items.length >= most || batch.chars >= mostChars || batch.deaths.length >= mostDeaths)
      void this.#send(batch);
  }

  /** Never rejects; whether it committed. */
  #send(batch: Batch): Promise<boolean> {
    this.#batch = undefined;
    const { pass, fed, fedAll, watch } = this.#owner;
    const { progress } = this.#latest;
    const advance = (): Advance => {
      const next = pass.advance(progress, batch, () => ({
        ...this.#queue.mark(fed, pass.ended),
        end: fedAll && this.#queue.open === 0,
      }));
      return { ...next, progress: watch.stamp(next.progress, pass.isLast && next.progress.end) };
    };
    const { saved, done } = this.#sendOff(batch, advance);
    this.#latest = saved;
    this.#sent++;
    return done.then(
      () => this.#committed(batch, saved),
      (error: unknown) => this.#refused(batch, error),
    );
  }

  #sendOff(batch: Batch, advance: () => Advance): SentBatch {
    if (!this.#apart) return sendBatch(this.#to, batch, this.#latest, advance);
    const sent = sendApart(this.#apart, batch, this.#latest, advance, this.#tail);
    this.#tail = sent.done;
    return sent;
  }

  #committed(batch: Batch, saved: Saved): true {
    this.#sent--;
    for (const item of batch.held) this.#apart?.marks.free(item, true);
    this.#saved = saved;
    this.#unsettled -= batch.items.length;
    this.#owner.pass.committed(batch);
    this.#queue.committed(batch.items);
    batch.unpin();
    this.#limit = Math.min(this.#limit * 2, careless);
    this.#owner.watch.committed(batch);
    this.#owner.committed(batch);
    return true;
  }

  #refused(batch: Batch, error: unknown): false {
    this.#sent--;
    this.#giveUp(batch);
    if (!this.#refusal && batch.items.length === 1) this.#suspect = batch.items[0];
    this.break(error);
    this.#owner.refused(batch, error);
    return false;
  }

  #giveUp(batch: Batch): void {
    batch.close();
    batch.unpin();
    for (const item of batch.held) this.#apart?.marks.free(item);
    for (const record of batch.touches.keys()) this.#host.records.drop(record);
    for (const item of batch.items) item.stage = Stage.open;
  }
}

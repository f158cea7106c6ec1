import { isHoldfastError } from "../base/errors.ts";
import type { Use } from "./attempt.ts";
import { Commit } from "./commit.ts";
import type { DoneMarks } from "./done-marks.ts";
import { faultOf, Stage, type Fault, type Item } from "./item.ts";
import type { LaneQueue } from "./lane-queue.ts";
import type { PartitionRecord, Saved } from "./partition-record.ts";
import type { WorkerParts } from "./parts.ts";
import type { PartitionProgress } from "./progress.ts";
import { send, sendApart, type Advance, type Destination, type Sent } from "./send.ts";

/** Characters of items and values in a commit. */
const mostChars = 512 * 1024;
/** Commits on their way at once: each builds on the one before. */
const mostSent = 3;
/** Dead letters in a commit: each brings two records. */
const mostDeaths = 16;
/** From this number of items on, a commit after a conflict is as good as any. */
const careless = 1024;

/** What the commits of a lane need to know of its pass, and whom they tell. */
export interface CommitTerms {
  /** Most items of a commit. */
  readonly mostItems: number;
  /** What a commit does to the job's own records, on the progress that the one before leaves. */
  advance(last: PartitionProgress, commit: Commit): Advance;
  committed(commit: Commit): void;
  refused(commit: Commit, error: unknown): void;
}

/**
 * Gathers what a lane's items have written, and commits it in groups.
 *
 * Groups are sent one after the other without waiting for their outcome: each checks the progress that the one before
 * wrote. So when one is refused, all that follow are, and everything that is not committed is done again: an item alone
 * at first, then more at a time.
 */
export class LaneCommits {
  readonly #parts: WorkerParts;
  readonly #to: Destination & { readonly record: PartitionRecord };
  readonly #queue: LaneQueue;
  readonly #terms: CommitTerms;
  /** Set where items commit apart from their progress. */
  readonly #marks: DoneMarks | undefined;
  /** The last commit that was sent apart from its progress. */
  #tail: Promise<unknown> = Promise.resolve();
  #commit: Commit | undefined;
  /** What is stored once everything that was sent has committed. */
  #latest: Saved;
  #sent = 0;
  /** Items that are handled and not committed. */
  #unsettled = 0;
  #limit = careless;
  #refusal: { readonly error: unknown } | undefined;
  /** The only item of the commit that was refused. */
  #suspect: Item | undefined;

  constructor(
    parts: WorkerParts,
    record: PartitionRecord,
    queue: LaneQueue,
    marks: DoneMarks | undefined,
    terms: CommitTerms,
  ) {
    this.#parts = parts;
    this.#to = { record, committer: parts.committer, records: parts.records };
    this.#queue = queue;
    this.#marks = marks;
    this.#terms = terms;
    this.#latest = record.saved;
  }

  /** Whether a commit is on its way. */
  get sending(): boolean {
    return this.#sent > 0;
  }

  /** Items that are handled and not sent. */
  get gathered(): number {
    return this.#commit?.items.length ?? 0;
  }

  /** Why nothing counts that is not committed; until {@link restart}. */
  get refusal(): { readonly error: unknown } | undefined {
    return this.#refusal;
  }

  /** Most records that an item may read and write. */
  get mostTouches(): number {
    const { mostItems } = this.#terms;
    // Progress, dead letters, and in a round of retries a stopped key and a dead letter for each item.
    return this.#to.committer.maxSteps - 1 - 2 * Math.max(mostDeaths, mostItems < careless ? mostItems : 0);
  }

  /** Whether another item may be started while so many run. */
  hasRoom(running: number): boolean {
    if (this.#refusal || this.#sent >= mostSent) return false;
    return this.#limit >= careless || running + this.#unsettled < this.#limit;
  }

  /** Takes what an item has left, or the failure that the item ended with. */
  merge(item: Item, uses: readonly Use[], death?: Fault): void {
    if (this.#commit && this.#commit.size + uses.length >= this.mostTouches) this.seal();
    const commit = this.#open();
    // A dead item is in no mark, which may be why it died: its own could not be loaded.
    if (this.#marks && item.key !== undefined && !death) {
      void this.#marks.hold(item); // it is loaded: its handler has run, or it was found there
      commit.held.push(item);
      if (uses.length > 0) commit.mark(item.key, item.id);
    }
    for (const { record, seen } of uses) if (seen >= 0) commit.read(record);
    // What a failed item has read is checked, what it wrote is dropped.
    for (const { record, wrote, payload, ttl } of uses) {
      if (!wrote || death) continue;
      commit.write(record, payload, ttl);
      this.#to.records.grew(payload?.length ?? 0);
    }
    if (death) commit.deaths.push({ item, error: death });
    this.#add(commit, item);
  }

  /** Takes an item that waits behind a dead letter. */
  passOver(item: Item): void {
    const commit = this.#open();
    commit.passed.add(item);
    this.#add(commit, item);
  }

  /** Sends what was gathered, if there is anything. */
  seal(): void {
    if (this.#commit) void this.#send(this.#commit);
  }

  /** As {@link seal}, where nothing is on its way, for what has waited since before that time. */
  sealOlder(than: number): void {
    if (this.#commit && this.#commit.opened < than && this.#sent === 0) this.seal();
  }

  /** As {@link seal}, where nothing more will join the commit that a careful lane has; whether it is so. */
  sealCareful(): boolean {
    if (!this.#commit || this.#limit >= careless || this.#queue.hasReady) return false;
    this.seal();
    return true;
  }

  /** Commits the progress as it is now, with what was gathered; whether that is stored. */
  async flush(): Promise<boolean> {
    return this.#refusal === undefined && this.#send(this.#open());
  }

  /** Nothing that is not committed counts any more. */
  break(error: unknown): void {
    // What refused the first of a chain is the reason; the others follow from it.
    this.#refusal ??= { error };
    this.drop();
  }

  /** Gives up what was gathered and not sent. */
  drop(): void {
    if (this.#commit) this.#giveUp(this.#commit);
    this.#commit = undefined;
  }

  /** Starts anew from what is committed, once nothing is on its way. */
  restart(): void {
    this.#tail = Promise.resolve();
    this.#marks?.forget();
    const error = this.#refusal?.error;
    if (!isHoldfastError(error, "UNAVAILABLE")) {
      this.#limit = 1;
      // A commit that can never succeed is the fault of an item: of the only one, or of one among them, found one by
      // one.
      if (this.#suspect && !isHoldfastError(error, "CONFLICT")) {
        // Not even as a dead letter: nobody gets past it.
        if (this.#suspect.fault) this.#parts.outage.fail(error);
        this.#suspect.failures++;
        this.#suspect.fault = faultOf(error);
      }
    }
    this.#suspect = undefined;
    this.#refusal = undefined;
    this.#latest = this.#to.record.saved;
    this.#unsettled = 0;
    this.#queue.restart();
  }

  #open(): Commit {
    return (this.#commit ??= new Commit(() => this.seal()));
  }

  #add(commit: Commit, item: Item): void {
    item.stage = Stage.handled;
    item.stale = 0;
    this.#unsettled++;
    commit.add(item);
    this.#queue.handled(item);
    const most = Math.min(this.#terms.mostItems, this.#limit);
    if (commit.items.length >= most || commit.chars >= mostChars || commit.deaths.length >= mostDeaths) this.seal();
  }

  /** Never rejects; whether it committed. */
  #send(commit: Commit): Promise<boolean> {
    this.#commit = undefined;
    for (const item of commit.items) item.stage = Stage.sent;
    const { saved, done } = this.#sendOff(commit, this.#terms.advance(this.#latest.progress, commit));
    this.#latest = saved;
    this.#sent++;
    return done.then(
      () => this.#committed(commit, saved),
      (error: unknown) => this.#refused(commit, error),
    );
  }

  #sendOff(commit: Commit, advance: Advance): Sent {
    if (!this.#marks) return send(this.#to, commit, this.#latest, advance);
    const sent = sendApart(this.#to, this.#marks, commit, this.#latest, advance, this.#tail);
    this.#tail = sent.done;
    return sent;
  }

  #committed(commit: Commit, saved: Saved): true {
    this.#sent--;
    for (const item of commit.held) this.#marks?.free(item, true);
    this.#to.record.saved = saved;
    this.#unsettled -= commit.items.length;
    this.#queue.committed(commit.items);
    commit.unpin();
    this.#limit = Math.min(this.#limit * 2, careless);
    this.#terms.committed(commit);
    return true;
  }

  #refused(commit: Commit, error: unknown): false {
    this.#sent--;
    this.#giveUp(commit);
    if (!this.#refusal && commit.items.length === 1) this.#suspect = commit.items[0];
    this.break(error);
    this.#terms.refused(commit, error);
    return false;
  }

  #giveUp(commit: Commit): void {
    commit.close();
    commit.unpin();
    for (const item of commit.held) this.#marks?.free(item);
    for (const record of commit.touches.keys()) this.#to.records.drop(record);
    for (const item of commit.items) item.stage = Stage.open;
  }
}

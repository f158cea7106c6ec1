import type { Time } from "../../base/time.ts";
import { UnavailableError } from "../../base/errors.ts";
import type { ExecuteCall, Group, Outcome, Result } from "../../port/index.ts";
import { Alarm } from "../common/alarm.ts";
import { givenUp, notSent } from "../common/failures.ts";
import { clear, emptyBatch, plain, received, unknown, type Batch, type Entry, type Job } from "./batches.ts";
import { weightOf, type Command, type Done, type WiredFailure } from "./commands.ts";
import type { Speech } from "./engine.ts";
import type { WorkerHost } from "./worker-host.ts";

/**
 * Limits of a batch: how long it holds up other processes and the event loop, for the machine's lock is kept until it
 * is flushed. Two full batches of the callers' share a flush.
 */
const maxOps = 512;
const maxBytes = 1024 * 1024;
/** Most groups whose callers go on in one turn of the event loop: what they do next is bounded, and so is the turn. */
const toldAtOnce = 32;

/**
 * The queue in front of the commit thread. One batch is with the thread, the next one is gathered and encoded
 * meanwhile; what does not fit waits. Every call ends by its deadline, whatever the thread does.
 */
export class Commits {
  readonly #speech: Speech;
  readonly #onDone: (done: Done) => void;
  readonly #jobs: Alarm<Job>;
  #queue: (Entry | undefined)[] = [];
  #taken = 0;
  /** Entries of the queue whose calls are over. */
  #dead = 0;
  readonly #batches: readonly [Batch, Batch] = [emptyBatch(0), emptyBatch(1)];
  #next: Batch = this.#batches[0];
  #sent: Batch | undefined;
  readonly #answered: Entry[] = [];
  #host: WorkerHost | undefined;

  /** `onDone` is called with each answer of the thread, before the calls in it are settled. */
  constructor(time: Time, speech: Speech, onDone: (done: Done) => void) {
    this.#speech = speech;
    this.#jobs = new Alarm(time, (job) => this.#expire(job));
    this.#onDone = onDone;
  }

  /** Runs those groups of a call whose `outcomes` are still missing, and settles the call when all are there. */
  submit(
    groups: readonly Group[],
    session: string,
    call: ExecuteCall,
    outcomes: Outcome[],
  ): Promise<readonly Outcome[]> {
    return new Promise((settle) => {
      const job: Job = { call, deadline: call.deadline, outcomes, entries: [], left: 0, settle };
      for (let index = 0; index < groups.length; index++) {
        const outcome = outcomes[index];
        if (outcome) call.settled?.(index, outcome);
        else this.#add(job, index, groups[index] as Group, session);
      }
      this.#start(job);
    });
  }

  /** Runs a command of our own. */
  async command(command: Command, deadline: number): Promise<Result> {
    const [outcome] = await new Promise<Outcome[]>((settle) => {
      const job: Job = { call: { deadline, claim: () => true }, deadline, outcomes: [], entries: [], left: 0, settle };
      this.#add(job, 0, command, "");
      this.#start(job);
    });
    if (outcome?.ok) return outcome.results[0];
    throw outcome?.why === "failed" ? outcome.error : new Error(`a command cannot end in ${outcome?.why}`);
  }

  /** The commit thread is there: what waits goes out. */
  attach(host: WorkerHost): void {
    this.#host = host;
    host.keepAlive(this.#jobs.size > 0);
    this.#pump();
  }

  /**
   * The commit thread is gone. What it had taken nobody knows the fate of, the rest of its batch had no effect; what
   * was not sent waits for the next thread.
   */
  detach(): void {
    const lost = this.#sent;
    this.#host = undefined;
    for (const entry of lost?.entries ?? []) {
      const why = `the ${this.#speech.name} backend's thread ended before`;
      this.#settle(entry, this.#withdraw(entry, `${why} it began`, `${why} it said what became of it`));
    }
    if (lost) clear(lost);
    this.#sent = undefined;
  }

  /** Fails all that was not sent. */
  fail(error: Error): void {
    const waiting = [...this.#next.entries, ...this.#queue].filter((entry) => entry !== undefined);
    clear(this.#next);
    this.#queue = [];
    this.#taken = 0;
    this.#dead = 0;
    for (const entry of waiting) {
      entry.work = undefined;
      this.#settle(entry, notSent(error));
    }
  }

  /** Takes the thread's answer. */
  done(answer: Done): void {
    const { outcomes } = answer;
    const batch = this.#sent;
    this.#sent = undefined;
    // Given up when the backend was closed.
    if (!batch) return;
    const { entries } = batch;
    clear(batch);
    this.#pump();
    this.#onDone(answer);
    for (let i = 0; i < outcomes.length; i += 2) {
      (entries[outcomes[i] as number] as Entry).outcome = received(
        outcomes[i + 1] as Outcome | WiredFailure,
        this.#speech,
      );
    }
    const idle = this.#answered.length === 0;
    for (const entry of entries) {
      if (entry.state !== "sent") continue;
      entry.outcome ??= plain(entry.results);
      this.#answered.push(entry);
    }
    entries.length = 0;
    if (!idle) return;
    // With nothing under way no answer can be on its heels.
    if (this.#sent) setImmediate(this.#tell);
    else this.#tell();
  }

  /**
   * Settles what was answered, a part at a time and each in a turn of the loop of its own: answers that come as fast
   * as they are taken would be taken without end, with no timer and no socket served between.
   */
  readonly #tell = (): void => {
    const told = this.#answered.splice(0, toldAtOnce);
    if (this.#answered.length > 0) setImmediate(this.#tell);
    for (const entry of told) this.#settle(entry, entry.outcome as Outcome);
  };

  #add(job: Job, index: number, work: Group | Command, session: string): void {
    const results = "ops" in work ? work.ops.length : 1;
    const entry: Entry = { job, index, work, start: 0, results, session, state: "waiting", outcome: undefined };
    job.entries.push(entry);
    job.left++;
    this.#queue.push(entry);
  }

  #start(job: Job): void {
    if (job.left === 0) {
      job.settle(job.outcomes);
      return;
    }
    this.#jobs.add(job);
    if (this.#jobs.size === 1) this.#host?.keepAlive(true);
    this.#pump();
  }

  /** Encodes what fits into the next batch, and sends it if the thread is free. */
  #pump(): void {
    this.#gather();
    while (this.#host && !this.#sent && this.#next.entries.length > 0) {
      const batch = this.#next;
      let live = 0;
      for (const entry of batch.entries) {
        if (entry.state === "waiting" && entry.job.call.claim(entry.index)) {
          entry.state = "sent";
          live++;
          continue;
        }
        batch.writer.skip(entry.start);
        if (entry.state === "waiting") this.#settle(entry, givenUp(this.#speech.name));
      }
      if (live > 0) {
        this.#sent = batch;
        this.#next = this.#batches[1 - batch.slot] as Batch;
        this.#host.post(batch.slot, batch.writer.memory, batch.writer.length);
      } else clear(batch);
      this.#gather();
    }
  }

  #gather(): void {
    const batch = this.#next;
    while (this.#taken < this.#queue.length) {
      const entry = this.#queue[this.#taken] as Entry;
      const { work } = entry;
      if (!work) {
        this.#queue[this.#taken++] = undefined;
        this.#dead--;
        continue;
      }
      const ops = "ops" in work ? work.ops.length + (work.guards?.length ?? 0) : weightOf(work);
      if (batch.entries.length > 0 && (batch.ops + ops > maxOps || batch.writer.length > maxBytes)) break;
      this.#queue[this.#taken++] = undefined;
      entry.start = "ops" in work ? batch.writer.group(work, entry.session) : batch.writer.command(work);
      batch.entries.push(entry);
      batch.ops += ops;
      entry.work = undefined;
    }
    if (this.#taken === this.#queue.length) {
      this.#queue = [];
      this.#taken = 0;
    } else if (this.#taken > 4 * maxOps) {
      this.#queue = this.#queue.slice(this.#taken);
      this.#taken = 0;
    }
  }

  /**
   * Drops what nobody waits for any more, once it is most of the queue, which may stand still for as long as the
   * thread is held up. So no call costs more than a few steps.
   */
  #tidy(): void {
    if (2 * this.#dead <= this.#queue.length - this.#taken) return;
    this.#queue = this.#queue.filter((entry) => entry?.work !== undefined);
    this.#taken = 0;
    this.#dead = 0;
  }

  #settle(entry: Entry, outcome: Outcome): void {
    if (entry.state === "settled") return;
    entry.state = "settled";
    if (entry.work) {
      entry.work = undefined;
      this.#dead++;
    }
    const { job } = entry;
    job.outcomes[entry.index] = outcome;
    job.call.settled?.(entry.index, outcome);
    if (--job.left > 0) return;
    job.entries.length = 0;
    this.#jobs.delete(job);
    if (this.#jobs.size === 0) this.#host?.keepAlive(false);
    job.settle(job.outcomes);
  }

  /** Ends a call whose deadline has passed; the thread may be held up by another process. */
  #expire(job: Job): void {
    const held = `another process holds up all that writes to the ${this.#speech.what}`;
    for (const entry of job.entries) {
      const outcome =
        entry.outcome ??
        (entry.state === "sent"
          ? this.#withdraw(entry, `not written in time: ${held}`, `no answer in time: ${held}`)
          : this.#notSent("not sent in time: the backend is behind or not open yet"));
      this.#settle(entry, outcome);
    }
    this.#tidy();
  }

  /** What is known of a group that is with the thread: it is taken back if it can be, and is `unsent` then. */
  #withdraw(entry: Entry, unsent: string, unsure: string): Outcome {
    return this.#sent?.writer.skip(entry.start) ? this.#notSent(unsent) : unknown(this.#speech, unsure);
  }

  #notSent(why: string): Outcome {
    return notSent(new UnavailableError(why, { backend: this.#speech.name }));
  }
}

import { FencedError, IndeterminateError, isHoldfastError, UnavailableError } from "../base/errors.ts";
import { Write, type Call, type Instance, type Joined, type Reply } from "../client/index.ts";
import type { Group, StoredRecord } from "../port/index.ts";
import { checkGroup, refusalOf } from "./groups.ts";
import type { Job } from "./job.ts";
import type { Queue } from "./queue.ts";
import { soon, within } from "./soon.ts";
import type { View } from "./view.ts";

/** No function starts in a round that has lasted longer, in ms: a turn of the event loop is to stay short. */
const roundMs = 4;
/** No function starts in a round that has so many keys. */
export const mostKeys = 64;
/** How long others wait for a function that takes its time, in ms. It then goes on by itself. */
const longestTurnMs = 1_000;

/**
 * What became of a round. `conflict`: others have changed what it saw. `again`: a caller left before anything was sent, or it was
 * too much at once. `apart`: a function takes its time, and took the view along. After the last three, jobs wait again.
 */
export type Ended = "done" | "conflict" | "again" | "apart";

/** Calls whose functions run one after another, each on what the one before has left, and whose changes are written at once. */
export class Round {
  readonly #queue: Queue;
  readonly #view: View;
  #jobs: Job<unknown>[] = [];
  #refused = false;
  readonly #onSend: ((jobs: number) => void) | undefined;

  /** `onSend` is called when what so many jobs have changed is about to be sent. */
  constructor(queue: Queue, view: View, onSend?: (jobs: number) => void) {
    this.#queue = queue;
    this.#view = view;
    this.#onSend = onSend;
  }

  /** Runs the jobs and writes what they change. Does not reject: what goes wrong is told to them. */
  async run(): Promise<Ended> {
    return this.#guarded(this.#run());
  }

  async #guarded(work: Promise<Ended>): Promise<Ended> {
    try {
      return await work;
    } catch (error) {
      for (const job of this.#jobs) job.reject(error);
      return "again";
    }
  }

  async #run(): Promise<Ended> {
    const view = this.#view;
    const queue = this.#queue;
    const { instance } = queue.terms;
    const { time } = instance;
    // One that comes later may have been told of a write that this round has not seen.
    const last = queue.newest;
    const preparing = this.#prepare();
    if (!(preparing instanceof Promise ? await preparing : preparing)) return "again";
    const until = time.monotonic() + roundMs;
    for (let job = queue.take(last); job; job = queue.take(last)) {
      const playing = this.#play(job);
      if (playing instanceof Promise && !(await soon(playing, view, instance, this.#armAll))) {
        const ended = await this.#waitFor(job, playing);
        if (ended) return ended;
      }
      this.#played(job);
      if (this.#jobs.length >= queue.most || view.used >= mostKeys || time.monotonic() >= until) break;
    }
    return this.#commit();
  }

  /** Reads what the jobs are known to need; `false`: it failed, and the first one, who would have read it, was refused. */
  #prepare(): boolean | Promise<boolean> {
    const queue = this.#queue;
    const { first } = queue.jobs;
    const refuse = (error: unknown): false => {
      first?.reject(error);
      return false;
    };
    try {
      const reading = queue.lately.length > 0 ? this.#readAgain() : first?.work.prepare?.(this.#view);
      return reading ? queue.ask(reading).then(() => true, refuse) : true;
    } catch (error) {
      return refuse(error);
    }
  }

  async #readAgain(): Promise<void> {
    const { lately, terms } = this.#queue;
    const { instance } = terms;
    const view = this.#view;
    const call = instance.ownCall();
    const reads = lately
      .filter((key) => !view.knows(key))
      .map(async (key) => {
        const reply = await instance.execute({ ops: [{ op: "get", key }] }, call);
        if (reply.ok) view.found(key, reply.results[0] as StoredRecord | undefined);
      });
    // What could not be read is read by those who need it, who are told why they cannot.
    if (reads.length > 0) await Promise.allSettled(reads);
  }

  /** Those whose functions have run, and who wait for that of another, may leave. */
  readonly #armAll = (): void => {
    for (const job of this.#jobs.slice(0, -1)) job.arm();
  };

  /** Runs a job's function. What it comes to is kept until the round is written. */
  #play(job: Job<unknown>): void | Promise<void> {
    const { instance, host } = this.#queue.terms;
    const view = this.#view;
    const { revision } = view;
    const start = instance.time.monotonic();
    const end = (told: Job<unknown>["told"]): void => {
      job.told = told;
      job.wrote = view.revision !== revision;
      job.deadline += instance.time.monotonic() - start;
    };
    job.disarm();
    job.tries++;
    this.#jobs.push(job);
    try {
      host.running.assertLive();
      const made = job.play(view);
      if (made instanceof Promise)
        return made.then(
          (value) => end({ value }),
          (error: unknown) => end({ error }),
        );
      end({ value: made });
    } catch (error) {
      end({ error });
    }
    return undefined;
  }

  /** Tells a job at once what nothing can change any more. */
  #played(job: Job<unknown>): void {
    if (job.signal?.aborted) job.abort();
    else if (!job.wrote && this.#isNothing([job], this.#queue.terms.joined)) job.settle();
    else return;
    if (!job.wrote) this.#jobs.pop();
  }

  /** Has the others written while a function takes its time; what became of the round if it cannot go on. */
  async #waitFor(job: Job<unknown>, playing: Promise<void>): Promise<Ended | undefined> {
    const queue = this.#queue;
    const before = this.#jobs.slice(0, -1);
    if (before.length > 0) {
      this.#jobs = before;
      const ended = await this.#commit(true);
      if (ended !== "done") {
        // What it has seen is not so.
        void queue.goApart(playing.then(() => queue.again(job)));
        return "apart";
      }
      this.#jobs = [job];
    }
    if (await within(playing, longestTurnMs, queue.terms.instance)) return undefined;
    void queue.goApart(this.#guarded(playing.then(() => this.#commit())));
    return "apart";
  }

  /** Writes what the jobs have changed, and tells them. With `looking`, another one goes on with the view. */
  async #commit(looking = false): Promise<Ended> {
    const queue = this.#queue;
    const view = this.#view;
    const jobs = this.#jobs.filter((job) => !job.over);
    if (this.#jobs.some((job) => job.over && job.wrote)) return this.#undone(jobs, "again");
    if (jobs.length === 0) return this.#settle(jobs, looking);
    const { ops, covered } = view.operations();
    const { opened, protection, instance } = queue.terms;
    // One that failed has nothing to be committed with.
    const joined = jobs.some(({ failed }) => failed) ? undefined : queue.terms.joined;
    // Each could be written by itself, but not all together.
    if ((jobs.length > 1 || looking) && refusalOf({ ops }, opened, queue.backend)) {
      queue.most = Math.ceil(jobs.length / 2);
      return this.#undone(jobs, "again");
    }
    if (this.#isNothing(jobs, joined)) return this.#settle(jobs, looking);
    let group: Group;
    let reply: Reply;
    try {
      const own = (group = protection && ops.length > 0 ? protection.cover(ops, covered) : { ops });
      const sent = joined
        ? joined.commit(async (extra, call) => {
            checkGroup((group = together(own, extra)), opened, queue.backend);
            return this.#send(jobs, group, call);
          })
        : this.#send(jobs, group, this.#callOf(jobs));
      reply = sent instanceof Promise ? await queue.ask(sent) : sent;
    } catch (error) {
      if (this.#refused) return this.#undone(jobs, "again");
      view.undo();
      for (const job of jobs) job.reject(this.#failure(job, error, jobs.length));
      return "again";
    } finally {
      for (const job of jobs) job.sent = false;
    }
    if (reply.ok) return this.#settle(jobs, looking);
    const op = group.ops[reply.at];
    const key = op && "key" in op ? op.key : undefined;
    if (reply.why !== "conflict" || !key) {
      view.undo();
      for (const job of jobs) job.reject(this.#fenced(job));
      return "again";
    }
    if (view.size === 1) view.changed(key, reply.current);
    const now = instance.time.monotonic();
    for (const job of jobs) if (now >= job.triesUntil) job.reject(job.givenUp());
    return this.#undone(jobs, "conflict");
  }

  /** Whether there is nothing to send for jobs. A lease is checked also where something was only read. */
  #isNothing(jobs: readonly Job<unknown>[], joined: Joined | undefined): boolean {
    const { plain, used } = this.#view;
    if (!plain || joined) return false;
    return used === 0 || !this.#queue.terms.protection || jobs.every(({ failed }) => failed);
  }

  /** What bounds the request for several jobs; each of them may leave before. */
  #callOf(jobs: readonly Job<unknown>[]): Call {
    if (jobs.length === 1) return (jobs[0] as Job<unknown>).call;
    for (const job of jobs) job.arm();
    return { signal: undefined, deadline: Math.max(...jobs.map(({ deadline }) => deadline)) };
  }

  #send(jobs: readonly Job<unknown>[], group: Group, call: Call): Reply | Promise<Reply> {
    const { instance, protection } = this.#queue.terms;
    this.#refused = false;
    const wanted = (): boolean => {
      this.#refused = jobs.some((job) => job.over && job.wrote);
      if (!this.#refused) for (const job of jobs) job.sent = true;
      return !this.#refused;
    };
    this.#onSend?.(jobs.length);
    const send = (): Reply | Promise<Reply> =>
      instance.execute(group, call, new RoundWrite(instance, group, call, wanted));
    return protection ? protection.send(send) : send();
  }

  #settle(jobs: readonly Job<unknown>[], looking: boolean): Ended {
    this.#view.wrote(looking);
    for (const job of jobs) job.settle();
    return "done";
  }

  #undone(jobs: readonly Job<unknown>[], ended: Ended): Ended {
    if (ended === "again") this.#view.undo();
    for (const job of jobs.toReversed()) this.#queue.again(job);
    return ended;
  }

  /** What a write that failed means for one of several: whoever changed nothing has only failed to read. */
  #failure(job: Job<unknown>, error: unknown, count: number): unknown {
    const context = { backend: this.#queue.terms.instance.backend.name, key: job.work.key, cause: error };
    if (isHoldfastError(error, "INDETERMINATE")) {
      if (!job.wrote) return new UnavailableError("the store could not be asked: nothing was changed", context);
      return count === 1 ? error : new IndeterminateError(error.message, context);
    }
    if (count === 1) return error;
    if (isHoldfastError(error, "FENCED")) return this.#fenced(job);
    return isHoldfastError(error, "UNAVAILABLE") ? new UnavailableError(error.message, context) : error;
  }

  #fenced(job: Job<unknown>): FencedError {
    const { name } = this.#queue.terms.instance.backend;
    return new FencedError("the lease is no longer held: nothing was written", { backend: name, key: job.work.key });
  }
}

/** A write that is sent only if all whose changes it holds still wait for it. */
class RoundWrite extends Write<Reply> {
  readonly wanted: () => boolean;

  constructor(instance: Instance, group: Group, call: Call, wanted: () => boolean) {
    super(instance, group, call);
    this.wanted = wanted;
  }

  read(reply: Reply): Reply {
    return reply;
  }
}

function together(one: Group, other: Group): Group {
  return { ops: [...one.ops, ...other.ops], guards: [...(one.guards ?? []), ...(other.guards ?? [])] };
}

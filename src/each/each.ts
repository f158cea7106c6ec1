/*
 * each: who is who, and who calls whom, from above.
 *
 * each.ts          a run: opens the input (input/), makes or joins the job (job.ts, plan.ts), starts a crew
 * input/open.ts    the input as text (text.ts: compression.ts, encoding.ts), found to be what it is said to be: by its
 *                  first records (look.ts), and by all of it (check.ts: quotes.ts, numbers.ts); then it is cut into
 *                  records (reader.ts, records.ts) and items (formats.ts, csv.ts)
 * crew.ts          one worker here, or processes (processes.ts, worker-process.ts) that have one each (child.ts)
 * worker.ts        takes its share (share.ts) of the partitions by their locks, and deals the input out to their lanes
 *                  (feeder.ts), whose items the pump starts (pump.ts); parts.ts is what all of these share
 * partitions.ts    keeps a partition pass after pass (first-pass.ts, retry-pass.ts), each of them by a lane
 * lane.ts          one pass through a partition: a queue of items (lane-queue.ts), attempts, commits
 * attempt.ts       one call of a handler (context.ts, item-state.ts) on records that this process knows (records.ts)
 * commit.ts        items that commit together: gathered by lane-commits.ts, sent with the progress by send.ts
 * partition-record.ts  what is stored of a partition; holds.ts says in it who works on it
 * hands.ts         what is in hand of it: so that with losses.ts and trials.ts the item is found that costs its worker
 * preview.ts, status.ts  what a run would do, and what is stored of a job
 * layout.ts, progress.ts  the names and the shapes of what is stored
 */

import { resolve } from "node:path";

import { onAbort } from "../base/aborts.ts";
import { Emitter } from "../base/emitter.ts";
import { UnsupportedError } from "../base/errors.ts";
import type { Holdfast } from "../entries/index.ts";
import { committerFor } from "./committer.ts";
import { workApart, workHere } from "./crew.ts";
import { exportDeadLetters } from "./dead-letters.ts";
import { openInput, type OpenInput } from "./input/open.ts";
import { assertUnchanged } from "./input/source.ts";
import { openJob, type Job } from "./job.ts";
import { removeMarks } from "./done-marks.ts";
import { checkHandler } from "./handler.ts";
import { jobStoreName, marksStoreName } from "./layout.ts";
import { defaultJob, resolveEachOptions, type Settings } from "./options.ts";
import { connectPatiently, patiently } from "./outage.ts";
import { isComplete, loadProgress, planOf, progressOf, sum, type Plan } from "./plan.ts";
import type { Counts } from "./progress.ts";
import { sumStats, type Crew } from "./report.ts";
import type { EachEvent, EachOptions, EachSummary, Handler } from "./types.ts";

/** Between two events of progress, in ms. */
const progressMs = 200;

/** A run of `each` that was started. */
export interface EachRun {
  /**
   * What it came to. Rejects with InputError (an input that cannot be meant: no job is made), InvalidArgumentError (an
   * input that cannot be read, or is another one than before, a handler that cannot be loaded), UnsupportedError (the
   * store cannot list), UnavailableError (the store was away for too long); the progress that was committed stays.
   */
  readonly result: Promise<EachSummary>;
  /** Finishes what is in hand, commits it, ends. Running it again goes on. */
  stop(): void;
  /** Ends worker processes at once. What they have not committed is done by the next run. */
  kill(): void;
  /**
   * @internal Has a worker process hold back its commits for so long; resolves with its process id once none is on its
   * way. For drills: a process that is paused inside of a commit keeps every other writer of a directory waiting.
   */
  hold(worker: number, ms: number): Promise<number>;
  /** Calls `listener` for each event until the returned function is called. */
  on(listener: (event: EachEvent) => void): () => void;
}

/**
 * Calls a handler for every item of a file, so that what it writes through `ctx.state` takes effect exactly once,
 * whatever crashes. Run again after a crash or an interrupt it goes on; run on several machines with the same store,
 * job and input they share the work.
 *
 * `handler` is a function, for one worker in this process, or the path of a module that exports one by default, for
 * several processes. Rejects as {@link EachRun.result} does.
 */
export function each<Item = unknown>(
  input: string | URL | AsyncIterable<string | Uint8Array>,
  handler: Handler<Item> | string | URL,
  options?: EachOptions,
): Promise<EachSummary> {
  return startEach(input, handler, options).result;
}

/** As {@link each}, to watch it and to stop it. Throws InvalidArgumentError for options that are wrong. */
export function startEach<Item = unknown>(
  input: string | URL | AsyncIterable<string | Uint8Array>,
  handler: Handler<Item> | string | URL,
  options?: EachOptions,
): EachRun {
  return new JobRun(resolveEachOptions(input, handler, options));
}

class JobRun implements EachRun {
  readonly result: Promise<EachSummary>;
  readonly #settings: Settings;
  readonly #events = new Emitter<{ event: EachEvent }>();
  readonly #stop = new AbortController();
  readonly #started = performance.now();
  #crew: Crew | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { signal } = settings;
    const unheard = onAbort(signal, () => this.stop());
    if (signal?.aborted) this.stop();
    this.result = this.#run().finally(unheard);
  }

  stop(): void {
    this.#stop.abort();
    this.#crew?.stop();
  }

  kill(): void {
    this.stop();
    this.#crew?.kill();
  }

  hold(worker: number, ms: number): Promise<number> {
    return this.#crew?.hold(worker, ms) ?? Promise.reject(new UnsupportedError("no worker has started yet"));
  }

  on(listener: (event: EachEvent) => void): () => void {
    return this.#events.on("event", listener);
  }

  readonly #tell = (event: EachEvent): void => this.#events.emit("event", event);

  async #run(): Promise<EachSummary> {
    const settings = this.#settings;
    if ("path" in settings.handler) checkHandler(resolve(settings.handler.path));
    const input = await openInput(settings.input, settings.reading, settings.key);
    let store: Store | undefined;
    try {
      store = await this.#connect();
      const plan = await this.#plan(store.hf, input);
      const { shared, exclusion } = store.hf.capabilities;
      // Processes that share nothing, or do not exclude each other, would each do all of the work.
      const here = settings.processes === 0 || shared === "process" || exclusion === "none";
      const crew = await (here ? workHere : workApart)(store.hf, plan, settings, this.#tell);
      this.#crew = crew;
      if (this.#stop.signal.aborted) crew.stop();
      const ended = await this.#watch(crew, plan);
      if (!here) store = await this.#connect();
      const progress = await loadProgress(store.hf, plan);
      const counts = sum(progress.values());
      const outcome = ended === "done" || isComplete(progress, plan.job) ? "done" : "interrupted";
      if (outcome === "done") await this.#tidy(store.hf, plan);
      if (settings.deadLetter !== undefined) {
        const letters = store.hf.state(jobStoreName(plan.name));
        const { size } = input.source.fingerprint;
        await exportDeadLetters(letters, plan.job.partitions, input.opening, size, settings.deadLetter);
      }
      this.#tell({ type: "progress", progress: progressOf(crew, plan) });
      return this.#summary(crew, plan, counts, outcome);
    } finally {
      await store?.close();
      await input.close();
    }
  }

  async #connect(): Promise<Store> {
    const { store, work } = this.#settings;
    if (typeof store !== "string") return { hf: store, close: () => Promise.resolve() };
    const hf = await connectPatiently(store, work.storeTimeoutMs, this.#stop.signal);
    return { hf, close: () => hf.close() };
  }

  async #plan(hf: Holdfast, { source, opening, delimiter }: OpenInput): Promise<Plan> {
    const { job: named, reading, key, partitions, retryDead } = this.#settings;
    const { format, bigIntegers } = reading;
    if (!hf.capabilities.list)
      throw new UnsupportedError(`${hf.backend} cannot list records, which each needs`, { backend: hf.backend });
    const name = named ?? defaultJob(this.#settings, source.fingerprint.sha256);
    const made: Job = {
      input: source.fingerprint,
      format,
      ...(delimiter !== "," && { delimiter }),
      ...(bigIntegers !== undefined && { bigIntegers }),
      key: key ?? null,
      partitions,
      round: 0,
    };
    const job = await this.#patiently(() => openJob(hf.state(jobStoreName(name)), name, made, retryDead));
    return planOf(hf, name, job, source, opening);
  }

  #patiently<T>(request: () => Promise<T>): Promise<T> {
    return patiently(this.#settings.work.storeTimeoutMs, this.#stop.signal, request);
  }

  /** Removes what is left of the marks of a finished job. */
  async #tidy(hf: Holdfast, { name, job }: Plan): Promise<void> {
    if (!committerFor(hf, job.key !== null).sendApart) return;
    await this.#patiently(() => removeMarks(hf.state(marksStoreName(name)), job.round));
  }

  /** Tells how far it is, and sees to it that the input stays what it was. */
  async #watch(crew: Crew, plan: Plan): Promise<"done" | "stopped"> {
    let changed: { readonly error: unknown } | undefined;
    const timer = setInterval(() => {
      this.#tell({ type: "progress", progress: progressOf(crew, plan) });
      assertUnchanged(plan.source).catch((error: unknown) => {
        changed ??= { error };
        crew.stop();
      });
    }, progressMs);
    try {
      const outcome = await crew.ended;
      if (!changed) await assertUnchanged(plan.source);
      else throw changed.error;
      return outcome;
    } finally {
      clearInterval(timer);
    }
  }

  #summary(crew: Crew, plan: Plan, counts: Counts, outcome: "done" | "interrupted"): EachSummary {
    const { processed, conflicts, fenced } = sumStats(crew.reports().map(({ stats }) => stats));
    return {
      job: plan.name,
      outcome: outcome === "done" && counts.dead > 0 ? "dead" : outcome,
      ...counts,
      processed,
      conflicts,
      fenced,
      restarts: crew.restarts,
      ...(plan.caveat !== undefined && { caveat: plan.caveat }),
      durationMs: Math.round(performance.now() - this.#started),
    };
  }
}

/** A connection, and how to end it if it is ours. */
interface Store {
  readonly hf: Holdfast;
  close(): Promise<void>;
}

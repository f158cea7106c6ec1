import { resolve } from "node:path";

import { onAbort } from "../base/aborts.ts";
import { Emitter } from "../base/emitter.ts";
import { UnsupportedError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Holdfast } from "../entries/index.ts";
import { caveatOf, committerFor } from "./committer.ts";
import { connectPatiently, patiently } from "./connecting.ts";
import type { Crew } from "./crew.ts";
import { exportDeadLetters } from "./dead-letters.ts";
import { identity } from "./identity.ts";
import { workHere } from "./in-process.ts";
import { loadHandler } from "./handler.ts";
import { assertUnchanged, openRecords, openSource, type Opening, type Source } from "./input/source.ts";
import { spool } from "./input/spool.ts";
import { openJob } from "./job.ts";
import { removeMarks } from "./done-marks.ts";
import { jobStoreName, marksStoreName } from "./layout.ts";
import { defaultJob, resolveEachOptions, type Settings } from "./options.ts";
import { Share } from "./share.ts";
import { Processes, type ProcessTerms } from "./processes.ts";
import { isComplete, loadProgress, progressOf, sum, type Plan } from "./plan.ts";
import type { Counts } from "./progress.ts";
import type { EachEvent, EachOptions, EachSummary, Handler } from "./types.ts";
import type { WorkerStats, WorkerTerms } from "./worker-terms.ts";

/** How often progress is told, in ms. */
const telling = 200;

/** A run of `each` that was started. */
export interface EachRun {
  /**
   * What it came to. Rejects with InvalidArgumentError (bad input, another input than before, a handler that cannot be loaded),
   * UnsupportedError (the store cannot list), UnavailableError (the store was away for too long); the progress that was
   * committed stays.
   */
  readonly result: Promise<EachSummary>;
  /** Finishes what is in hand, commits it, ends. Running it again goes on. */
  stop(): void;
  /** Ends worker processes at once. What they have not committed is done by the next run. */
  kill(): void;
  /**
   * @internal Has a worker process hold back its commits for so long; resolves with its process id once none is on its way. For
   * drills: a process that is paused inside of a commit keeps every other writer of a directory waiting.
   */
  hold(worker: number, ms: number): Promise<number>;
  /** Calls `listener` for each event until the returned function is called. */
  on(listener: (event: EachEvent) => void): () => void;
}

/**
 * Calls a handler for every item of a file, so that what it writes through `ctx.state` takes effect exactly once, whatever
 * crashes. Run again after a crash or an interrupt it goes on; run on several machines with the same store, job and input they
 * share the work.
 *
 * `handler` is a function, for one worker in this process, or the path of a module that exports one by default, for several
 * processes. Rejects as {@link EachRun.result} does.
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
  return new Run(resolveEachOptions(input, handler, options));
}

class Run implements EachRun {
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
    if (this.#crew instanceof Processes) return this.#crew.hold(worker, ms);
    return Promise.reject(new UnsupportedError("there are no worker processes"));
  }

  on(listener: (event: EachEvent) => void): () => void {
    return this.#events.on("event", listener);
  }

  readonly #tell = (event: EachEvent): void => this.#events.emit("event", event);

  async #run(): Promise<EachSummary> {
    const { input } = this.#settings;
    if ("path" in input) return this.#runFile(resolve(input.path));
    const { path, remove } = await spool(input.stream);
    try {
      return await this.#runFile(path);
    } finally {
      remove();
    }
  }

  async #runFile(path: string): Promise<EachSummary> {
    const settings = this.#settings;
    const source = await openSource(path);
    const opening = await openRecords(source, settings.format);
    let store: Store | undefined;
    try {
      store = await this.#connect();
      const plan = await this.#plan(store.hf, source, opening);
      const { shared, exclusion } = store.hf.capabilities;
      // Processes that share nothing, or do not exclude each other, would each do all of the work.
      const here = settings.processes === 0 || shared === "process" || exclusion === "none";
      const crew = here ? await this.#workHere(store.hf, plan) : await this.#fork(store, plan);
      const ended = await this.#watch(crew, plan);
      if (!here) store = await this.#connect();
      const progress = await loadProgress(store.hf, plan);
      const counts = sum(progress.values());
      const outcome = ended === "done" || isComplete(progress, plan.job) ? "done" : "interrupted";
      if (outcome === "done") await this.#tidy(store.hf, plan);
      if (settings.deadLetter !== undefined) {
        const letters = store.hf.state(jobStoreName(plan.name));
        await exportDeadLetters(letters, plan.job.partitions, opening, source.fingerprint.size, settings.deadLetter);
      }
      this.#tell({ type: "progress", progress: progressOf(crew, plan) });
      return this.#summary(crew, plan, counts, outcome);
    } finally {
      await store?.close();
      await opening.file.close();
    }
  }

  async #connect(): Promise<Store> {
    const { store, storeTimeoutMs } = this.#settings;
    if (typeof store !== "string") return { hf: store, close: () => Promise.resolve() };
    const hf = await connectPatiently(store, storeTimeoutMs, this.#stop.signal);
    return { hf, close: () => hf.close() };
  }

  async #plan(hf: Holdfast, source: Source, opening: Opening): Promise<Plan> {
    const { job: named, format, key, partitions, retryDead, storeTimeoutMs } = this.#settings;
    if (!hf.capabilities.list)
      throw new UnsupportedError(`${hf.backend} cannot list records, which each needs`, { backend: hf.backend });
    const name = named ?? defaultJob(this.#settings, source.fingerprint.sha256);
    const terms = { name, input: source.fingerprint, format, key, partitions, retryDead };
    const job = await patiently(storeTimeoutMs, this.#stop.signal, () => openJob(hf.state(jobStoreName(name)), terms));
    const plan = { name, job, source, opening, caveat: caveatOf(hf.capabilities, hf.backend, job.key !== null) };
    const found = await loadProgress(hf, plan);
    const marks = new Map(
      Array.from(found, ([partition, { next, end }]) => [partition, end ? source.fingerprint.size : next.offset]),
    );
    return { ...plan, counts: sum(found.values()), marks };
  }

  async #workHere(hf: Holdfast, plan: Plan): Promise<Crew> {
    const { handler } = this.#settings;
    const fn = "fn" in handler ? handler.fn : await loadHandler(resolve(handler.path));
    const id = drawId();
    const terms = { ...this.#terms(plan), id, by: id, who: identity(), opening: plan.opening };
    return this.#begin(workHere(hf, fn, terms, this.#tell));
  }

  async #fork({ hf, close }: Store, plan: Plan): Promise<Crew> {
    const { handler, store, format, processes, quietOutput, leaseMs } = this.#settings;
    const path = resolve((handler as { readonly path: string }).path);
    const run = drawId();
    const count = Math.min(processes, plan.job.partitions);
    const idOf = (worker: number): string => `${run}/${worker}`;
    const members = Array.from({ length: count }, (_, worker) => ({ id: idOf(worker), who: identity() }));
    await Share.announce(hf, jobStoreName(plan.name), members, leaseMs);
    await close(); // its workers have their own; so it costs no memory meanwhile
    const start: ProcessTerms["start"] = (worker, by, lost) => {
      const terms = { ...this.#terms(plan), id: idOf(worker), by };
      return { type: "start", store: store as string, handler: path, source: plan.source, format, terms, lost };
    };
    return this.#begin(new Processes({ run, count, start, quietOutput, leaseMs }, this.#tell));
  }

  #terms({ name, job }: Plan): Omit<WorkerTerms, "opening" | "who" | "id" | "by"> {
    const { concurrency, retries, backoffMs, onDead, storeTimeoutMs, leaseMs, itemTimeoutMs } = this.#settings;
    return { name, job, concurrency, retries, backoffMs, onDead, storeTimeoutMs, leaseMs, itemTimeoutMs };
  }

  #begin(crew: Crew): Crew {
    this.#crew = crew;
    if (this.#stop.signal.aborted) crew.stop();
    return crew;
  }

  /** Removes what is left of the marks of a finished job. */
  async #tidy(hf: Holdfast, { name, job }: Plan): Promise<void> {
    if (!committerFor(hf, job.key !== null).sendApart) return;
    const { storeTimeoutMs } = this.#settings;
    await patiently(storeTimeoutMs, this.#stop.signal, () => removeMarks(hf.state(marksStoreName(name)), job.round));
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
    }, telling);
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
    const reports = crew.reports().map(({ stats }) => stats);
    const total = (pick: (stats: WorkerStats) => number): number =>
      reports.reduce((all, stats) => all + pick(stats), 0);
    return {
      job: plan.name,
      outcome: outcome === "done" && counts.dead > 0 ? "dead" : outcome,
      ...counts,
      processed: total((stats) => stats.processed),
      conflicts: total((stats) => stats.conflicts),
      fenced: total((stats) => stats.fenced),
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

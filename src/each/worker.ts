import { json, type Holdfast, type StateStore } from "../entries/index.ts";
import { committerFor } from "./committer.ts";
import { delay } from "./delay.ts";
import { Feeder } from "./feeder.ts";
import { Holds } from "./holds.ts";
import type { Lane } from "./lane.ts";
import { jobStoreName, marksStoreName } from "./layout.ts";
import { Outage } from "./outage.ts";
import { Partitions } from "./partitions.ts";
import type { WorkerParts } from "./parts.ts";
import { Pump } from "./pump.ts";
import { Records } from "./records.ts";
import { Tally, type WorkerEvent, type WorkerReport } from "./report.ts";
import { Share } from "./share.ts";
import type { WorkerTerms } from "./terms.ts";
import { Trials } from "./trials.ts";
import type { Handler } from "./types.ts";

/** How old a commit may get that does not fill up, in ms; and how often that is looked at. */
const oldestCommit = 100;
const ageing = 25;

/** Handles the items of the partitions that it holds, until all partitions of the job are finished. */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #lanes = new Map<number, Lane>();
  readonly #partitions: Partitions;
  readonly #holds: Holds;
  readonly #share: Share;
  readonly #feeder: Feeder;
  readonly #stop = new AbortController();
  /** Aborts when there is no use in looking for partitions any more. */
  readonly #wake = new AbortController();
  #held = false;
  #feeding: Promise<void> | undefined;

  constructor(hf: Holdfast, handler: Handler, terms: WorkerTerms, tell: (event: WorkerEvent) => void) {
    const { name, job } = terms;
    const stop = this.#stop.signal;
    const committer = committerFor(hf, job.key !== null);
    const store: StateStore<unknown> = hf.state(jobStoreName(name));
    const pump = new Pump(this.#lanes, terms.concurrency, () => this.#idle());
    const outage = new Outage(hf, terms.storeTimeoutMs, tell, () => this.stop());
    this.#parts = {
      hf,
      handler,
      terms,
      committer,
      store,
      marksStore: committer.sendApart && hf.state(marksStoreName(name)),
      records: new Records(json),
      idPrefix: `${name}:${job.input.sha256.slice(0, 16)}:`,
      pump,
      outage,
      trials: new Trials(store, terms, outage, pump, stop),
      tally: new Tally(tell),
      tell,
      stop,
    };
    this.#feeder = new Feeder(terms, this.#lanes);
    this.#holds = new Holds(this.#parts);
    this.#partitions = new Partitions(this.#parts, this.#holds, this.#lanes, () => this.#changed());
    this.#share = new Share(hf, terms, this.#partitions);
  }

  /** How far it is. */
  report(): WorkerReport {
    const marks: number[] = [];
    for (const [partition, { record }] of this.#lanes) marks.push(partition, record.saved.progress.next.offset);
    for (const partition of this.#partitions.finished) marks.push(partition, this.#parts.terms.job.input.size);
    const { tally, pump } = this.#parts;
    return { stats: tally.stats, running: pump.running, partitions: [...this.#lanes.keys()], marks };
  }

  /** Finishes what is in hand and commits it, and gives everything up. */
  stop(): void {
    this.#stop.abort();
    this.#wake.abort();
  }

  /**
   * Starts and sends nothing for so many ms of its own time, so that what is handled stays uncommitted. Resolves when
   * no commit is on its way and something is held back, or when the time is over.
   */
  async hold(ms: number): Promise<void> {
    const end = performance.now() + ms;
    this.#held = true;
    const goOn = this.#parts.pump.pause();
    const settled = (): boolean => {
      const commits = Array.from(this.#lanes.values(), (lane) => lane.commits);
      return commits.every(({ sending }) => !sending) && commits.some(({ gathered }) => gathered > 0);
    };
    setTimeout(() => {
      this.#held = false;
      goOn();
    }, ms);
    while (!settled() && performance.now() < end) await delay(2);
    // Writes go one after the other: once this one has, none of the worker's other business is on its way either.
    await this.#parts.outage.patiently(() => this.#share.sayHere());
  }

  /** Resolves when every partition is finished, or after {@link stop}. Rejects with what made it impossible. */
  async run(): Promise<"done" | "stopped"> {
    const { outage, trials, pump, stop } = this.#parts;
    const partitions = this.#partitions;
    const share = this.#share;
    const timer = setInterval(() => {
      this.#holds.beat();
      this.#age(performance.now() - oldestCommit);
    }, ageing);
    try {
      while (!stop.aborted && !partitions.complete) {
        const pause = await outage.patiently(() => share.balance());
        if (!partitions.complete) await delay(pause ?? 0, this.#wake.signal);
      }
      await partitions.giveUpAll();
      await trials.ended;
      if (!outage.failure) await outage.patiently(() => share.leave());
    } finally {
      clearInterval(timer);
      pump.stop();
      await this.#feeding;
    }
    if (outage.failure) throw outage.failure.error;
    return partitions.complete ? "done" : "stopped";
  }

  /** The lanes are others than before. */
  #changed(): void {
    if (this.#partitions.complete) this.#wake.abort();
    this.#feeder.moved();
    this.#parts.pump.poke();
  }

  /** Nothing more can be started: reads on, or commits what there is. */
  #idle(): void {
    const { pump, outage } = this.#parts;
    const feeding = this.#feeder.next();
    if (feeding && feeding !== this.#feeding) {
      this.#feeding = feeding;
      feeding.then(
        () => pump.poke(),
        (error: unknown) => outage.fail(error),
      );
    } else if (!feeding && pump.running === 0) this.#age(Infinity);
  }

  #age(than: number): void {
    if (this.#held) return;
    for (const lane of this.#lanes.values()) lane.commits.sealOlder(than);
  }
}

import type { Key } from "../base/keys.ts";
import { LinkedList } from "../base/linked-list.ts";
import type { Time } from "../base/time.ts";
import type { Deadlines } from "../client/deadlines.ts";
import type { Call, Instance, Joined } from "../client/index.ts";
import type { Opened } from "../port/index.ts";
import type { Host } from "./host.ts";
import { Job, type Watch, type Work } from "./job.ts";
import type { Protection } from "./protection.ts";

/** Most functions that run before what they change is written. */
const mostJobs = 256;

/** What the writes of a queue are under: jobs that differ in it are not written together. */
export interface Terms {
  readonly instance: Instance;
  readonly host: Host;
  readonly opened: Opened;
  readonly protection: Protection | undefined;
  /** What adds to the group of a job: that is then written by itself. */
  readonly joined?: Joined | undefined;
}

/** The clocks of those who wait, and what sets them going. */
export interface Clock {
  readonly time: Time;
  readonly deadlines: Deadlines;
  /** Somebody waits again. */
  wake(): void;
}

/** Jobs of one line whose changes may be written together, first come first served. */
export class Queue implements Watch {
  readonly terms: Terms;
  readonly jobs = new LinkedList<Job<unknown>>();
  /** How many jobs a round may have. */
  most: number;
  /** What the ones before looked at: mostly the next need the same. */
  lately: readonly Key[] = [];
  /** The number of the last one who came. */
  newest = 0;
  askedAt: number | undefined;
  /** How many jobs go on by themselves, and may come back. */
  apart = 0;
  /** Called when the last one has left. */
  onEmpty: (() => void) | undefined;
  readonly #clock: Clock;

  constructor(terms: Terms, clock: Clock) {
    this.terms = terms;
    this.most = terms.joined ? 1 : mostJobs;
    this.#clock = clock;
  }

  get backend(): string {
    return this.terms.instance.backend.name;
  }

  get time(): Time {
    return this.#clock.time;
  }

  get deadlines(): Deadlines {
    return this.#clock.deadlines;
  }

  /** Joins the queue; `waits` unless its turn comes at once. */
  enter<R>(work: Work<R>, call: Call, tries: number, waits: boolean): Job<R> {
    const job = new Job(work, call, this, ++this.newest, tries, waits);
    this.jobs.append(job as Job<unknown>);
    job.queued = true;
    if (waits) job.arm();
    return job;
  }

  /** The first, unless it came after the one of that number. */
  take(last: number): Job<unknown> | undefined {
    const { first } = this.jobs;
    if (!first || first.number > last) return undefined;
    this.jobs.remove(first);
    first.queued = false;
    return first;
  }

  /** Its function is to run again, before those who wait. */
  again(job: Job<unknown>): void {
    if (job.over) return;
    job.anew();
    this.jobs.prepend(job);
    job.queued = true;
    job.arm();
  }

  /** Lets a job go on by itself; what becomes of it may be that it waits again. */
  async goApart(going: Promise<unknown>): Promise<void> {
    this.apart++;
    await going;
    this.apart--;
    this.#clock.wake();
  }

  left(job: Job<unknown>): void {
    if (!job.queued) return;
    job.queued = false;
    this.jobs.remove(job);
    if (this.jobs.size === 0) this.onEmpty?.();
  }

  /** Notes that the store owes an answer. */
  async ask<R>(answer: Promise<R>): Promise<R> {
    const asked = (this.askedAt = this.time.monotonic());
    try {
      return await answer;
    } finally {
      if (this.askedAt === asked) this.askedAt = undefined;
    }
  }
}

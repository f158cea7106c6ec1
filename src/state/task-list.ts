import type { Key } from "../base/keys.ts";
import { LinkedList } from "../base/linked-list.ts";
import type { Time } from "../base/time.ts";
import type { Deadlines } from "../client/deadlines.ts";
import type { Call, Instance, Joined } from "../client/index.ts";
import type { Opened } from "../port/index.ts";
import type { Protection } from "./protection.ts";
import type { Running } from "./running.ts";
import { Task, type Watch, type Work } from "./task.ts";

/** Most functions that run before their changes are written. */
const mostTasks = 256;

/** What the writes of a list have in common. Tasks that differ in it are not written together. */
export interface Terms {
  readonly instance: Instance;
  readonly running: Running;
  readonly opened: Opened;
  readonly protection: Protection | undefined;
  /** Adds records of its own to the group of a task, which is then written alone. */
  readonly joined?: Joined | undefined;
}

/** What a list needs of its line. */
export interface Clock {
  readonly time: Time;
  readonly deadlines: Deadlines;
  /** A task waits again. */
  wake(): void;
}

/** The tasks of one line whose changes may be written together, first come first served. */
export class TaskList implements Watch {
  readonly terms: Terms;
  readonly tasks = new LinkedList<Task<unknown>>();
  /** How many tasks a round may have. */
  most: number;
  /** The keys that the last round used: the next round likely needs the same. */
  lately: readonly Key[] = [];
  /** The number of the task that came last. */
  newest = 0;
  askedAt: number | undefined;
  /** How many tasks run apart from the rounds, and may come back. */
  apart = 0;
  /** Called when the last task has left. */
  onEmpty: (() => void) | undefined;
  readonly #clock: Clock;

  constructor(terms: Terms, clock: Clock) {
    this.terms = terms;
    this.most = terms.joined ? 1 : mostTasks;
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

  /** Appends a task; `waits` unless it runs at once. */
  enter<R>(work: Work<R>, call: Call, tries: number, waits: boolean): Task<R> {
    const task = new Task(work, call, this, ++this.newest, tries, waits);
    this.tasks.append(task as Task<unknown>);
    task.queued = true;
    if (waits) task.arm();
    return task;
  }

  /** Takes out the first task, unless it came after the one with that number. */
  take(last: number): Task<unknown> | undefined {
    const { first } = this.tasks;
    if (!first || first.number > last) return undefined;
    this.tasks.remove(first);
    first.queued = false;
    return first;
  }

  /** Puts a task back at the front: its function runs again. */
  retry(task: Task<unknown>): void {
    if (task.over) return;
    task.retry();
    this.tasks.prepend(task);
    task.queued = true;
    task.arm();
  }

  /** Counts a task that runs apart from the rounds until `running` ends. It may wait again afterwards. */
  async runApart(running: Promise<unknown>): Promise<void> {
    this.apart++;
    await running;
    this.apart--;
    this.#clock.wake();
  }

  left(task: Task<unknown>): void {
    if (!task.queued) return;
    task.queued = false;
    this.tasks.remove(task);
    if (this.tasks.size === 0) this.onEmpty?.();
  }

  /** Notes that the store owes an answer until `answer` settles. */
  async ask<R>(answer: Promise<R>): Promise<R> {
    const asked = (this.askedAt = this.time.monotonic());
    try {
      return await answer;
    } finally {
      if (this.askedAt === asked) this.askedAt = undefined;
    }
  }
}

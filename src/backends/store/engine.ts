import type { Time } from "../../base/time.ts";
import { lateError } from "../common/failures.ts";
import { Attempt, decideAll, latest, type Decided, type Moment, type Prepared } from "./attempt.ts";
import type { Task } from "./call.ts";
import { unseen, type Passed } from "./cell-view.ts";
import { failureOf } from "./store-error.ts";
import { Commits } from "./commits.ts";
import type { Known } from "./known.ts";
import { Marks } from "./marks.ts";
import { partedByKeys } from "./parted.ts";
import { mostReadOf } from "./promises.ts";
import { tooLarge } from "./refusal.ts";
import { Requests } from "./requests.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Cell, Store } from "./store.ts";

/** Most groups that are taken up at once. */
const mostTaken = 512;
/** Most groups of one cell that are committed together. */
const mostTogether = 256;
/** How long a lease must last yet when a commit is sent that nobody compares with a clock, in ms. */
const marginMs = 10;

export interface EngineOptions {
  readonly name: string;
  readonly store: Store;
  readonly time: Time;
  /** The largest content of a cell, in bytes. */
  readonly maxContent: () => number;
  readonly clock: StoreClock;
  readonly known: Known;
  /** Called with the locks that were passed on, once that is done. */
  readonly onPassed: (passed: readonly Passed[]) => void;
  /** Takes up groups that turned out to need more cells. */
  readonly again: (tasks: readonly Task[]) => void;
}

/**
 * Reads what groups are about, decides them here, and commits if nothing has changed meanwhile. Groups of one turn of
 * the loop share a read and a commit, whatever sessions they come from; groups that write the same cell are decided
 * in turn and committed together, or one after the other.
 */
export class Engine {
  readonly #name: string;
  readonly #store: Store;
  readonly #time: Time;
  readonly #alone: boolean;
  readonly #mostRead: number;
  readonly #timed: boolean;
  /** Whether the clock is the server's. */
  readonly #isServers: boolean;
  readonly #maxContent: () => number;
  readonly #blind: boolean;
  readonly #known: Known;
  readonly #clock: StoreClock;
  readonly #onMore: EngineOptions["again"];
  readonly #requests: Requests;
  readonly #commits: Commits;
  readonly #marks = new Marks();
  #pending: Task[] = [];
  /** So many pending groups are worth a look at which of them have ended. */
  #pruneFrom = mostTaken;
  #scheduled = false;

  constructor({ name, store, time, maxContent, clock, known, onPassed, again }: EngineOptions) {
    const { declares } = store;
    this.#name = name;
    this.#store = store;
    this.#time = time;
    this.#alone = store.atomic === "one";
    this.#mostRead = mostReadOf(store);
    this.#timed = declares.timed === true;
    this.#isServers = declares.clock === "server";
    this.#maxContent = maxContent;
    this.#blind = declares.guard === "none";
    this.#known = known;
    this.#clock = clock;
    this.#onMore = again;
    this.#requests = new Requests(time, () => this.#schedule());
    this.#commits = new Commits(store, this.#requests, this.#known, {
      free: (attempt) => this.#free(attempt),
      again: (attempt, pauseMs) => this.#again(attempt, pauseMs),
      fail: (attempt, error, sent) => this.#fail(attempt, error, sent),
      passed: onPassed,
    });
  }

  /** Takes up groups; each ends by its outcome. */
  enter(tasks: readonly Task[]): void {
    for (const task of tasks) this.#pending.push(task);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#pending.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#requests.hasRoom) return this.#prune();
      const attempts = this.#take();
      if (attempts.length > 0) this.#start(attempts);
      this.#schedule();
    });
  }

  /** Forgets groups that have ended, while there is no room for others. */
  #prune(): void {
    if (this.#pending.length <= this.#pruneFrom) return;
    this.#pending = this.#pending.filter((task) => !task.outcome);
    this.#pruneFrom = Math.max(mostTaken, 2 * this.#pending.length);
  }

  /** Takes groups whose cells no other attempt changes. */
  #take(): Attempt[] {
    const pending = this.#pending.splice(0, mostTaken);
    const attempts: Attempt[] = [];
    const alone = new Map<string, Attempt>();
    for (const task of pending) {
      if (task.outcome) continue;
      const [cell] = task.cells;
      const other = task.writes && task.cells.length === 1 ? alone.get(cell as string) : undefined;
      if (other && other.tasks.length < mostTogether) {
        other.tasks.push(task);
        continue;
      }
      const mark = task.writes ? this.#marks.take(task) : "free";
      if (mark === "waits") continue;
      const attempt = new Attempt(task, mark === "held");
      attempts.push(attempt);
      if (mark === "held" && task.cells.length === 1) alone.set(cell as string, attempt);
    }
    return attempts;
  }

  /** Others may change its cells from now on. */
  #free(attempt: Attempt): void {
    if (!attempt.held) return;
    attempt.held = false;
    const waiting = this.#marks.free(attempt.first);
    if (waiting.length > 0) this.#pending = [...waiting, ...this.#pending];
    this.#schedule();
  }

  #start(attempts: readonly Attempt[]): void {
    const toRead: Attempt[] = [];
    const prepared: Prepared[] = [];
    for (const attempt of attempts) {
      const moment = this.#guess(attempt);
      const decided = moment && this.#decide(attempt, moment);
      // A claim that a lock is passed on with lasts from now on, too.
      const early = decided !== undefined && this.#isServers && decided.view.passed.length > 0;
      if (!decided || early) toRead.push(attempt);
      else this.#answer(decided, true, prepared);
    }
    if (prepared.length > 0) this.#commits.send(prepared);
    for (const some of partedByKeys(toRead, this.#mostRead)) this.#read(some);
  }

  /** What a group that writes will find, where this process knows it, or may guess, and it was not refused yet. */
  #guess(attempt: Attempt): Moment | undefined {
    if (!attempt.writes || attempt.tasks.some(({ tries }) => tries > 0)) return undefined;
    // Stamps that no commit compares must be read: others may have changed them.
    if (this.#alone && attempt.cells.length > 1) return undefined;
    const [cell, second] = attempt.cells;
    const now = (): number | undefined => (!this.#isServers || this.#timed ? this.#clock.guess() : undefined);
    if (this.#blind && attempt.first.isBlind && (!this.#isServers || !attempt.first.arms)) {
      return { cells: new Map([[cell as string, unseen]]), now: now(), observed: undefined, guessed: true };
    }
    let cells = this.#known.find(attempt.cells);
    if (!cells && cell !== undefined && second === undefined && this.#known.isNew(cell, attempt.first.space)) {
      cells = new Map([[cell, undefined]]);
    }
    if (!cells) return undefined;
    // What lasts so many ms from now on needs a server's time as it is: the guess is a moment to come.
    if (this.#isServers && attempt.tasks.some((task) => task.arms)) return undefined;
    return { cells, now: now(), observed: this.#clock.observed(), guessed: true };
  }

  #read({ attempts, keys }: { readonly attempts: readonly Attempt[]; readonly keys: readonly string[] }): void {
    const asked = this.#time.monotonic();
    const deadline = latest(attempts);
    this.#requests.send(
      deadline,
      async () => this.#store.read(keys, { deadline }),
      (reply) => {
        const cells = new Map<string, Cell | undefined>();
        const failed = new Map<string, Error>();
        for (const [i, key] of keys.entries()) {
          const cell = reply.cells[i];
          if (cell instanceof Error) failed.set(key, cell);
          else cells.set(key, cell);
        }
        const now = this.#clock.read(reply.now, asked);
        const prepared: Prepared[] = [];
        for (const attempt of attempts) {
          const { writes, first } = attempt;
          const missed = failed.size > 0 ? attempt.cells.find((cell) => failed.has(cell)) : undefined;
          if (missed !== undefined) {
            this.#fail(attempt, failed.get(missed), false);
            continue;
          }
          if (writes && first.cells.length === 1) this.#known.saw(first.space, cells.get(first.cells[0] as string));
          const decided = this.#decide(attempt, {
            cells,
            now,
            observed: this.#clock.observed(reply.order),
            guessed: false,
          });
          if (decided) this.#answer(decided, false, prepared);
        }
        if (prepared.length > 0) this.#commits.send(prepared);
      },
      (error) => {
        for (const attempt of attempts) this.#fail(attempt, error, false);
      },
    );
  }

  #decide(attempt: Attempt, moment: Moment): Decided | undefined {
    return decideAll(attempt, moment, { mono: this.#time.monotonic(), backend: this.#name, again: this.#onMore });
  }

  /** Answers what changes nothing, and prepares the rest. */
  #answer(decided: Decided, guessed: boolean, prepared: Prepared[]): void {
    const { attempt, view, outcomes } = decided;
    if (!view.hasChanged) {
      this.#free(attempt);
      for (const { task, outcome } of outcomes) task.settle(outcome);
      return;
    }
    const transaction = view.transaction({ guessed: guessed && this.#timed, alone: this.#alone });
    const { notAfter, changes } = transaction;
    const sizes = changes.map(({ content }) => content?.byteLength ?? 0);
    const most = this.#maxContent();
    if (Math.max(...sizes) > most) {
      return this.#fail(attempt, tooLarge(this.#name, most), false);
    }
    if (!this.#timed && notAfter !== undefined && this.#clock.notYet() + marginMs >= notAfter) {
      return this.#again(attempt, marginMs / 2);
    }
    prepared.push({ ...decided, transaction, bytes: sizes.reduce((sum, size) => sum + size, 0) });
  }

  /** Ends the groups of an attempt; without an error it was too late. */
  #fail(attempt: Attempt, error: unknown, sent: boolean): void {
    this.#free(attempt);
    const told = error === undefined ? lateError(this.#name) : failureOf(error, this.#name);
    for (const task of attempt.tasks) task.fail(told, sent);
  }

  /** Takes up the groups of an attempt once more, after a pause. */
  #again(attempt: Attempt, pauseMs: number): void {
    this.#free(attempt);
    const tasks = attempt.tasks.filter((task) => !task.outcome);
    if (tasks.length === 0) return;
    if (pauseMs === 0) this.enter(tasks);
    else this.#time.after(pauseMs, () => this.enter(tasks), { ref: true });
  }
}

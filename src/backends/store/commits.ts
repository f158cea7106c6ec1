import { latest, type Attempt, type Prepared } from "./attempt.ts";
import type { Passed } from "./cell-view.ts";
import { stampOf } from "./content.ts";
import { mostReadOf } from "./promises.ts";
import type { Known } from "./known.ts";
import { partedByCells, partedByKeys } from "./parted.ts";
import type { Requests } from "./requests.ts";
import { mayHaveBeenSent } from "./store-error.ts";
import type { Answer, Change, Revision, Store, Transaction } from "./store.ts";

/** Longest pause after a conflict, in ms: of who lets others go on, and of who asks for something. */
const longestPause = { urgent: 4, other: 64 };

/** What becomes of an attempt besides being done. */
export interface Then {
  /** Others may change its cells. */
  free(attempt: Attempt): void;
  /** Its groups are taken up once more, after a pause. */
  again(attempt: Attempt, pauseMs: number): void;
  /** Its groups end; without an error it was too late. */
  fail(attempt: Attempt, error: unknown, sent: boolean): void;
  /** Locks were passed on: whoever was granted one is to be told. */
  passed(passed: readonly Passed[]): void;
}

/** The change that is looked for when the reply to a transaction was lost. A delete leaves nothing to see. */
function lookedAt({ changes }: Transaction): Change | undefined {
  return changes.find(({ content }) => content);
}

/** Sends what was decided, and finds out what became of it. */
export class Commits {
  readonly #store: Store;
  readonly #requests: Requests;
  readonly #known: Known;
  readonly #then: Then;
  readonly #mostRead: number;
  #lostNow: { readonly prepared: Prepared; readonly error: unknown }[] = [];

  constructor(store: Store, requests: Requests, known: Known, then: Then) {
    this.#store = store;
    this.#requests = requests;
    this.#known = known;
    this.#then = then;
    this.#mostRead = mostReadOf(store);
  }

  /** Sends, at once: nothing comes between the decision, which asked whether the groups are wanted, and the request. */
  send(all: readonly Prepared[]): void {
    for (const prepared of partedByCells(all)) {
      const deadline = latest(prepared.map(({ attempt }) => attempt));
      for (const { outcomes } of prepared) for (const { task } of outcomes) task.sent = true;
      this.#requests.send(
        deadline,
        async () =>
          this.#store.commit(
            prepared.map(({ transaction }) => transaction),
            { deadline },
          ),
        (answers) => {
          for (const [i, one] of prepared.entries())
            this.#answered(one, answers[i] ?? new Error("the store gave no answer"));
        },
        (error) => {
          for (const one of prepared) this.#lost(one, error);
        },
      );
    }
  }

  #answered(prepared: Prepared, answer: Answer): void {
    if (answer instanceof Error) return this.#lost(prepared, answer);
    const { attempt, transaction, outcomes } = prepared;
    if (answer === false) {
      for (const { key } of transaction.changes) this.#known.wasWrong(key);
      for (const { task, outcome } of outcomes) {
        task.sent = false;
        task.tries++;
        // Whoever was granted something confirms what others wait behind.
        if (outcome.ok && task.group.ops.some(({ op }) => op === "acquire")) task.urgent = true;
      }
      return this.#then.again(attempt, this.#pauseMs(attempt));
    }
    this.#remember(transaction.changes, answer === true ? [] : answer);
    this.#done(prepared);
  }

  #done({ attempt, view, outcomes }: Prepared): void {
    view.committed();
    this.#then.free(attempt);
    if (view.passed.length > 0) this.#then.passed(view.passed);
    for (const { task, outcome } of outcomes) task.settle(outcome);
  }

  #remember(changes: Prepared["transaction"]["changes"], revisions: readonly (Revision | undefined)[]): void {
    for (const [i, { key, content }] of changes.entries()) {
      const revision = revisions[i];
      if (!content) this.#known.wrote(key, undefined);
      else if (revision !== undefined) this.#known.wrote(key, { content, revision });
      else this.#known.forget(key);
    }
  }

  /** A commit failed. Where it may have taken effect, a look at what it wrote may tell. */
  #lost(prepared: Prepared, error: unknown): void {
    const { attempt, transaction } = prepared;
    for (const { key } of transaction.changes) this.#known.forget(key);
    const sent = error === undefined || mayHaveBeenSent(error);
    if (!sent || error === undefined || !lookedAt(transaction)) return this.#then.fail(attempt, error, sent);
    if (this.#lostNow.push({ prepared, error }) === 1) queueMicrotask(() => this.#look());
  }

  /** Looks for what was written by the commits that were lost in this turn. */
  #look(): void {
    const lost = this.#lostNow;
    this.#lostNow = [];
    for (const { attempts, keys } of partedByKeys(
      lost.map((one) => ({ ...one, cells: [lookedAt(one.prepared.transaction)?.key as string] })),
      this.#mostRead,
    )) {
      const deadline = latest(attempts.map(({ prepared }) => prepared.attempt));
      const unknown = (): void => {
        for (const { prepared, error } of attempts) this.#then.fail(prepared.attempt, error, true);
      };
      this.#requests.send(
        deadline,
        async () => this.#store.read(keys, { deadline }),
        ({ cells }) => {
          const found = new Map(keys.map((key, i) => [key, cells[i]]));
          for (const { prepared, error } of attempts) {
            const { key, content } = lookedAt(prepared.transaction) as Change & { content: Uint8Array };
            const cell = found.get(key);
            if (cell && !(cell instanceof Error) && stampOf(cell.content) === stampOf(content)) this.#done(prepared);
            else this.#then.fail(prepared.attempt, error, true);
          }
        },
        unknown,
      );
    }
  }

  /** Random, so that those who met do not meet again. */
  #pauseMs({ tasks }: Attempt): number {
    const urgent = tasks.some((task) => task.urgent);
    const tries = Math.max(...tasks.map((task) => task.tries));
    if (urgent && tries < 4) return 0;
    return Math.random() * Math.min(2 ** Math.min(tries, 8), urgent ? longestPause.urgent : longestPause.other);
  }
}

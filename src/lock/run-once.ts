import { joinSignals } from "../base/aborts.ts";
import {
  FencedError,
  IndeterminateError,
  InvalidArgumentError,
  isHoldfastError,
  RunOnceFailedError,
  RunOnceMismatchError,
  UnsupportedValueError,
} from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Instance, OpenTransaction, TransactionFactory } from "../client/index.ts";
import type { Capabilities } from "../port/index.ts";
import type { Lease } from "./lease.ts";
import type { LockSpace } from "./lock-space.ts";
import type { Terms } from "./options.ts";
import { persist } from "./persist.ts";
import { Refusal, timeoutError } from "./refusal.ts";
import type { Attempt, RunLog } from "./run-log.ts";
import type { RunOnceContext, RunOnceResult, RunOnceTerms } from "./run-options.ts";
import {
  completed,
  decodeResult,
  type DoneRecord,
  type FailedRecord,
  type LostRecord,
  type RunningRecord,
  type RunRecord,
} from "./run-record.ts";
import { checkRuns } from "./stored-runs.ts";
import { factoryOf, Writes } from "./run-writes.ts";
import { runUnder } from "./under-lease.ts";

/**
 * What a call finds before it has to wait: a stored result, or the outcome of its first try and the record that was
 * stored then.
 */
type Look<R> =
  | { readonly stored: RunOnceResult<R>; readonly first?: undefined; readonly before?: undefined }
  | { readonly stored?: undefined; readonly first: Lease | Refusal; readonly before: RunRecord | undefined };

/** One call of `runOnce`. */
export class RunOnce<R, Tx> {
  readonly #locks: LockSpace;
  readonly #instance: Instance;
  readonly #log: RunLog;
  readonly #terms: RunOnceTerms<R, Tx>;
  readonly #fn: (context: RunOnceContext<Tx>) => R | PromiseLike<R>;
  readonly #transactions: TransactionFactory<Tx> | undefined;

  constructor(
    locks: LockSpace,
    log: RunLog,
    fn: (context: RunOnceContext<Tx>) => R | PromiseLike<R>,
    terms: RunOnceTerms<R, Tx>,
    transactions: TransactionFactory<Tx> | undefined,
  ) {
    this.#locks = locks;
    this.#instance = locks.host.instance;
    this.#log = log;
    this.#fn = fn;
    this.#terms = terms;
    this.#transactions = terms.commit ? factoryOf(transactions) : transactions;
  }

  /** The stored result, or the result of a run of its own. */
  async result(): Promise<RunOnceResult<R>> {
    this.#locks.admit(this.#terms);
    const { time } = this.#instance;
    const since = time.monotonic();
    const { stored, first, before } = await this.#look(since + this.#terms.waitMs);
    if (stored) return stored;
    if (!(first instanceof Refusal)) return this.#under(first, undefined);
    const leftMs = this.#terms.waitMs - (time.monotonic() - since);
    if (leftMs <= 0) throw this.#notFree(first);
    const next = await this.#enter({ ...this.#terms, waitMs: leftMs });
    if (next instanceof Refusal) throw this.#notFree(next);
    return this.#under(next, { before });
  }

  /** Reads the record and tries the lock, until that time. A wait that is shorter than the timeout bounds that too. */
  async #look(until: number): Promise<Look<R>> {
    const { signal, timeoutMs, waitMs } = this.#terms;
    if (waitMs === 0 || waitMs >= timeoutMs) return this.#lookUntil(until, signal);
    const wait = new AbortController();
    const over = (): void => wait.abort(this.#notFree(new Refusal(undefined, false)));
    const timer = this.#instance.time.after(waitMs, over, { ref: true });
    const joined = joinSignals(wait.signal, signal);
    try {
      return await this.#lookUntil(until, joined.signal);
    } finally {
      timer.clear();
      joined.end();
    }
  }

  async #lookUntil(until: number, signal: AbortSignal | undefined): Promise<Look<R>> {
    checkRuns(await this.#locks.host.learn(this.#log.call(signal)), this.#log.context());
    return persist(this.#locks.host, { signal, until: () => until }, async () => {
      const before = await this.#log.read(signal);
      const stored = this.#stored(before);
      if (stored) return { stored };
      return { first: await this.#enter({ ...this.#terms, waitMs: 0, signal }), before };
    });
  }

  #enter(terms: Terms): Promise<Lease | Refusal> {
    return this.#locks.enter(this.#log.id, { terms, mode: "exclusive", limit: undefined, quiet: true });
  }

  #notFree(refusal: Refusal): Error {
    return timeoutError(refusal, this.#log.id, this.#terms.waitMs, this.#instance.backend.name);
  }

  /** Decides under the lease, while nobody else runs. `waited` is set if the first try of the call was refused. */
  #under(lease: Lease, waited: { readonly before: RunRecord | undefined } | undefined): Promise<RunOnceResult<R>> {
    const { host } = this.#locks;
    const { signal } = this.#terms;
    const until = (): number => this.#instance.time.monotonic() + lease.remainingMs;
    return runUnder(host, lease, async () => {
      const last = await persist(host, { signal, until }, async () => this.#log.read(signal));
      const stored = this.#stored(last);
      if (stored) return stored;
      if (last?.state === "failed") {
        if (waited && !isSame(last, waited.before)) {
          const { failure } = last;
          throw new RunOnceFailedError(`the run failed: ${failure.message}`, { ...this.#log.context(), failure });
        }
        if (last.ran) return { value: await this.#resume(lease, last, last.ran.data), replayed: true };
      }
      if (last?.state === "running" && (last.onCrash === "fail" || this.#terms.onCrash === "fail")) {
        throw new IndeterminateError("a run began and did not end: it is unknown what it did", this.#log.context());
      }
      return { value: await this.#run(lease, last), replayed: false };
    });
  }

  async #run(lease: Lease, last: RunRecord | undefined): Promise<R> {
    const { onCrash, commit } = this.#terms;
    const fingerprint = this.#terms.fingerprint ?? last?.fingerprint;
    const token = last && "token" in last ? last.token : drawId();
    const attempt = (last?.attempt ?? 0) + 1;
    const began: RunningRecord = { state: "running", attempt, token, onCrash, fingerprint };
    await this.#log.begin(lease, began);
    const transaction = new Writes(this.#transactions, commit !== undefined, () => this.#log.call());
    const over = joinSignals(lease.signal, this.#terms.signal);
    const context: RunOnceContext<Tx> = {
      idempotencyKey: token,
      attempt,
      lease,
      signal: over.signal,
      get tx() {
        return transaction.tx;
      },
    };
    let value: R;
    try {
      value = await this.#fn(context);
    } catch (error) {
      transaction.opened?.abandon();
      await this.#log.fail(lease, began, error);
      throw error;
    } finally {
      over.end();
    }
    const { maxValue } = this.#locks.host.capabilities as Capabilities;
    await this.#finish(lease, began, value, completed(this.#log.id, began, value, maxValue), transaction.opened);
    return value;
  }

  /** Commits the result of the function of an earlier call. */
  async #resume(lease: Lease, last: FailedRecord, data: string | undefined): Promise<R> {
    if (!this.#terms.commit) {
      const message = "an earlier call ran fn, and its commit failed: it takes a call with commit to record its result";
      throw new InvalidArgumentError(message, this.#log.context());
    }
    const { token } = last;
    const attempt = last.attempt + 1;
    const fingerprint = this.#terms.fingerprint ?? last.fingerprint;
    const value = decodeResult(this.#log.id, data) as R;
    await this.#finish(lease, { attempt, token, fingerprint }, value, { state: "done", attempt, fingerprint, data });
    return value;
  }

  /** Stores the result, together with the writes of the run. */
  async #finish(
    lease: Lease,
    run: Attempt,
    value: R,
    done: DoneRecord | LostRecord,
    opened?: OpenTransaction,
  ): Promise<void> {
    const { commit, keepMs: keepFor } = this.#terms;
    const noted = { record: done, keepMs: keepFor };
    const over = joinSignals(lease.signal, this.#terms.signal);
    try {
      if (!commit) await this.#log.write(lease, noted, opened);
      else {
        const transactions = factoryOf(this.#transactions);
        await this.#log.commit(lease, noted, transactions, (tx) => commit(tx, value), over.signal);
      }
    } catch (error) {
      opened?.abandon();
      // A record that may have been stored must not be overwritten. A result that cannot be stored counts as lost in a
      // crash.
      const keeps = !commit || done.state === "done";
      if (keeps && !isHoldfastError(error, "INDETERMINATE"))
        await this.#log.fail(lease, run, error, commit && done.state === "done" ? { data: done.data } : undefined);
      if (!isHoldfastError(error, "LEASE_LOST") || error !== lease.signal.reason) throw error;
      throw new FencedError("the lease was lost: the run was not recorded", { ...this.#log.context(), cause: error });
    } finally {
      over.end();
    }
    if (done.state === "lost") throw this.#lost(done);
  }

  /** The result of an earlier run; undefined if none completed. */
  #stored(record: RunRecord | undefined): RunOnceResult<R> | undefined {
    const { fingerprint } = this.#terms;
    if (record?.fingerprint !== undefined && fingerprint !== undefined && record.fingerprint !== fingerprint) {
      const message = "the id is that of another request: its fingerprint is not the one given here";
      throw new RunOnceMismatchError(message, this.#log.context());
    }
    if (record?.state === "lost") throw this.#lost(record);
    if (record?.state !== "done") return undefined;
    return { value: decodeResult(this.#log.id, record.data) as R, replayed: true };
  }

  #lost({ path, message }: LostRecord): UnsupportedValueError {
    return new UnsupportedValueError(`the run is done, and its result could not be stored: ${message}`, {
      ...this.#log.context(),
      path,
    });
  }
}

function isSame(failed: FailedRecord, before: RunRecord | undefined): boolean {
  // Attempts are counted anew once the record was forgotten, and then the token is another.
  return before?.state === "failed" && before.attempt === failed.attempt && before.token === failed.token;
}

import {
  FencedError,
  IndeterminateError,
  isHoldfastError,
  RunOnceFailedError,
  UnsupportedError,
  UnsupportedValueError,
} from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key, Space } from "../base/keys.ts";
import {
  executeWrite,
  gripOf,
  type Call,
  type Instance,
  type OpenTransaction,
  type TransactionFactory,
} from "../client/index.ts";
import type { Capabilities, Group, StoredRecord } from "../port/index.ts";
import { runUnder, type Gate } from "./gate.ts";
import type { Lease } from "./lease.ts";
import type { Terms } from "./options.ts";
import type { RunOnceContext, RunOnceResult, RunOnceTerms } from "./run-options.ts";
import { decodeResult, encodeResult, failureOf, readRecord, writeRecord, type RunRecord } from "./run-record.ts";
import { Writes } from "./run-writes.ts";
import { Refusal, timeoutError } from "./waiter.ts";

/** How long what is known of unfinished runs is kept at least, in ms: their attempts are counted that long. */
const keepAttemptsMs = 30 * 86_400_000;

/** What a call found before it had to wait: a result, or what became of its first try and what was stored then. */
type Look<R> =
  | { readonly stored: RunOnceResult<R>; readonly first?: undefined; readonly before?: undefined }
  | { readonly stored?: undefined; readonly first: Lease | Refusal; readonly before: RunRecord | undefined };

/** One call of `runOnce`. */
export class RunOnce<R, Tx> {
  readonly #gate: Gate;
  readonly #instance: Instance;
  readonly #id: string;
  readonly #record: Key;
  readonly #terms: RunOnceTerms;
  readonly #fn: (context: RunOnceContext<Tx>) => R | PromiseLike<R>;
  readonly #transactions: TransactionFactory<Tx> | undefined;

  constructor(
    gate: Gate,
    results: Space,
    id: string,
    fn: (context: RunOnceContext<Tx>) => R | PromiseLike<R>,
    terms: RunOnceTerms,
    transactions: TransactionFactory<Tx> | undefined,
  ) {
    this.#gate = gate;
    this.#instance = gate.table.instance;
    this.#id = id;
    this.#record = { space: results, key: id };
    this.#fn = fn;
    this.#terms = terms;
    this.#transactions = transactions;
  }

  /** The stored result, or that of a run of its own. */
  async result(): Promise<RunOnceResult<R>> {
    this.#gate.admit(this.#terms);
    const { time } = this.#instance;
    const since = time.monotonic();
    const { stored, first, before } = await this.#look();
    if (stored) return stored;
    if (!(first instanceof Refusal)) return this.#under(first, undefined);
    const leftMs = this.#terms.waitMs - (time.monotonic() - since);
    if (leftMs <= 0) throw this.#notFree(first);
    const next = await this.#enter({ ...this.#terms, waitMs: leftMs });
    if (next instanceof Refusal) throw this.#notFree(next);
    return this.#under(next, { before });
  }

  /** Reads what is stored and tries the lock. A wait that is shorter than the timeout bounds that too. */
  async #look(): Promise<Look<R>> {
    const { signal, timeoutMs, waitMs } = this.#terms;
    if (waitMs === 0 || waitMs >= timeoutMs) return this.#lookUntil(signal);
    const wait = new AbortController();
    const over = (): void => wait.abort(this.#notFree(new Refusal(undefined, false)));
    const timer = this.#instance.time.after(waitMs, over, { ref: true });
    try {
      return await this.#lookUntil(signal ? AbortSignal.any([signal, wait.signal]) : wait.signal);
    } finally {
      timer.clear();
    }
  }

  async #lookUntil(signal: AbortSignal | undefined): Promise<Look<R>> {
    const { guard, transact } = await this.#gate.table.learn(this.#call(signal));
    if (guard !== "atomic" || transact === "none") {
      throw new UnsupportedError("runOnce needs a backend that checks a lease and writes in one step", this.#context());
    }
    const before = await this.#read(signal);
    const stored = this.#stored(before);
    if (stored) return { stored };
    return { first: await this.#enter({ ...this.#terms, waitMs: 0, signal }), before };
  }

  #enter(terms: Terms): Promise<Lease | Refusal> {
    return this.#gate.enter(this.#id, { terms, mode: "exclusive", limit: undefined, quiet: true });
  }

  #notFree(refusal: Refusal): Error {
    return timeoutError(refusal, this.#id, this.#terms.waitMs, this.#instance.backend.name);
  }

  /** Under the lease nobody else runs it. `waited` is set for a call that was not the first. */
  #under(lease: Lease, waited: { readonly before: RunRecord | undefined } | undefined): Promise<RunOnceResult<R>> {
    return runUnder(this.#gate.table, lease, async () => {
      const last = await this.#read(this.#terms.signal);
      const stored = this.#stored(last);
      if (stored) return stored;
      if (waited && last?.state === "failed" && !isSame(last, waited.before)) {
        const { failure } = last;
        throw new RunOnceFailedError(`the run failed: ${failure.message}`, { ...this.#context(), failure });
      }
      if (last?.state === "running" && (last.onCrash === "fail" || this.#terms.onCrash === "fail")) {
        throw new IndeterminateError("a run began and did not end: it is unknown what it did", this.#context());
      }
      return { value: await this.#run(lease, last), replayed: false };
    });
  }

  async #run(lease: Lease, last: RunRecord | undefined): Promise<R> {
    const { onCrash, keepMs, signal } = this.#terms;
    const attempt = (last?.attempt ?? 0) + 1;
    const token = last && "token" in last ? last.token : drawId();
    const began: RunRecord = { state: "running", attempt, token, onCrash };
    await this.#write(lease, began, onCrash === "fail" ? Infinity : Math.max(keepMs, keepAttemptsMs));
    const transaction = new Writes(this.#transactions, () => this.#call());
    const context: RunOnceContext<Tx> = {
      idempotencyKey: token,
      attempt,
      lease,
      signal: signal ? AbortSignal.any([lease.signal, signal]) : lease.signal,
      get tx() {
        return transaction.tx;
      },
    };
    const failed = (error: unknown): Promise<void> =>
      this.#noteFailure(lease, { state: "failed", attempt, token, failure: failureOf(error) });
    let value: R;
    try {
      value = await this.#fn(context);
    } catch (error) {
      transaction.opened?.abandon();
      await failed(error);
      throw error;
    }
    const done = this.#done(attempt, value);
    try {
      await this.#write(lease, done, keepMs, transaction.opened);
    } catch (error) {
      transaction.opened?.abandon();
      // What may have been stored must not be overwritten.
      if (!isHoldfastError(error, "INDETERMINATE")) await failed(error);
      throw error;
    }
    if (done.state === "lost") throw this.#lost(done);
    return value;
  }

  /** The record of a run that has completed; one whose result cannot be stored counts as done. */
  #done(attempt: number, value: R): Extract<RunRecord, { state: "done" | "lost" }> {
    try {
      const record: RunRecord = { state: "done", attempt, data: encodeResult(this.#id, value) };
      const { maxValue } = this.#gate.table.capabilities as Capabilities;
      if (Buffer.byteLength(writeRecord(record)) <= maxValue) return record;
      return { state: "lost", attempt, path: "$", message: `the result is larger than ${maxValue} bytes` };
    } catch (error) {
      if (!isHoldfastError(error, "UNSUPPORTED_VALUE")) throw error;
      return { state: "lost", attempt, path: (error as UnsupportedValueError).path, message: error.message };
    }
  }

  /** What an earlier run gave; undefined if none completed. */
  #stored(record: RunRecord | undefined): RunOnceResult<R> | undefined {
    if (record?.state === "lost") throw this.#lost(record);
    if (record?.state !== "done") return undefined;
    return { value: decodeResult(this.#id, record.data) as R, replayed: true };
  }

  #lost({ path, message }: Extract<RunRecord, { state: "lost" }>): UnsupportedValueError {
    return new UnsupportedValueError(`the run is done, and its result could not be stored: ${message}`, {
      ...this.#context(),
      path,
    });
  }

  async #noteFailure(lease: Lease, record: RunRecord): Promise<void> {
    const { keepMs } = this.#terms;
    try {
      await this.#write(lease, record, Math.max(keepMs, keepAttemptsMs));
    } catch (error) {
      // The caller gets the run's own error; to later calls this looks like a crash.
      if (!isHoldfastError(error, "FENCED")) this.#gate.table.report("record that a run failed", error);
    }
  }

  async #read(signal?: AbortSignal): Promise<RunRecord | undefined> {
    const reply = await this.#instance.execute({ ops: [{ op: "get", key: this.#record }] }, this.#call(signal));
    return readRecord(this.#id, reply.ok ? (reply.results[0] as StoredRecord | undefined) : undefined);
  }

  /** Writes the record while the lease is held, together with what a transaction holds back. */
  async #write(lease: Lease, record: RunRecord, keepMs: number, transaction?: OpenTransaction): Promise<void> {
    const grip = gripOf(lease);
    grip.assertHeld();
    const guards = grip.locks.map((lock) => ({ lock, owner: grip.owner, grant: grip.grant }));
    const ttl = keepMs === Infinity ? undefined : keepMs;
    const group: Group = {
      guards,
      ops: [{ op: "set", key: this.#record, id: drawId(), value: writeRecord(record), ttl }],
    };
    const settled = grip.begin();
    let indeterminate = false;
    try {
      if (transaction) return await transaction.commit(group, this.#call());
      const reply = await executeWrite(this.#instance, group, this.#call());
      if (!reply.ok) throw new FencedError("the lease was lost: the run was not recorded", this.#context());
    } catch (error) {
      indeterminate = isHoldfastError(error, "INDETERMINATE");
      throw error;
    } finally {
      settled(indeterminate);
    }
  }

  /** The limits of a request that starts now. The caller's signal ends its reads, its wait and its function, not the bookkeeping. */
  #call(signal?: AbortSignal): Call {
    return { signal, deadline: this.#instance.time.monotonic() + this.#terms.timeoutMs };
  }

  #context(): { key: string; backend: string } {
    return { key: this.#id, backend: this.#instance.backend.name };
  }
}

function isSame(failed: RunRecord, before: RunRecord | undefined): boolean {
  return before?.state === "failed" && before.attempt === failed.attempt;
}

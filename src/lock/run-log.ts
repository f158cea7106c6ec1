import { FencedError, isHoldfastError } from "../base/errors.ts";
import type { Key, Space } from "../base/keys.ts";
import { executeWrite, gripOf, type Call, type OpenTransaction, type TransactionFactory } from "../client/index.ts";
import type { Group, StoredRecord } from "../port/index.ts";
import type { LockHost } from "./host.ts";
import type { Lease } from "./lease.ts";
import { persist } from "./persist.ts";
import {
  failureOf,
  readRecord,
  writeRecord,
  type FailedRecord,
  type RunningRecord,
  type RunRecord,
} from "./run-record.ts";
import { drawRunVersion } from "./stored-runs.ts";

/** For how long the record of an unfinished run is kept at least, in ms: its attempts are counted that long. */
const keepAttemptsMs = 30 * 86_400_000;

/** What the records of one attempt have in common. */
export type Attempt = Pick<RunningRecord, "attempt" | "token" | "fingerprint">;

/** A record, and for how long it is kept, in ms. */
export interface Noted {
  readonly record: RunRecord;
  readonly keepMs: number;
}

/** The terms of the run that its records depend on. */
interface LogTerms {
  readonly timeoutMs: number;
  readonly keepMs: number;
  readonly onCrash: "again" | "fail";
}

/** The record of the runs of one id. It is written under the lease of the run only. */
export class RunLog {
  readonly id: string;
  readonly #host: LockHost;
  readonly #key: Key;
  readonly #terms: LogTerms;

  constructor(host: LockHost, results: Space, id: string, terms: LogTerms) {
    this.id = id;
    this.#host = host;
    this.#key = { space: results, key: id };
    this.#terms = terms;
  }

  async read(signal: AbortSignal | undefined): Promise<RunRecord | undefined> {
    const reply = await this.#host.instance.execute({ ops: [{ op: "get", key: this.#key }] }, this.call(signal));
    return readRecord(this.id, reply.ok ? (reply.results[0] as StoredRecord | undefined) : undefined);
  }

  /** Records that an attempt begins. Nothing has run if it rejects. */
  async begin(lease: Lease, began: RunningRecord): Promise<void> {
    const keepMs = began.onCrash === "fail" ? Infinity : this.#keepUnfinishedMs;
    try {
      await this.write(lease, { record: began, keepMs });
    } catch (error) {
      // The record may be stored, and would look like a crash.
      if (isHoldfastError(error, "INDETERMINATE")) await this.fail(lease, began, error);
      throw error;
    }
  }

  /** Records that an attempt has failed; with `ran`, that only its commit has. Never rejects. */
  async fail(lease: Lease, attempt: Attempt, error: unknown, ran?: FailedRecord["ran"]): Promise<void> {
    const { attempt: number, token, fingerprint } = attempt;
    const failure = failureOf(error);
    const record: FailedRecord = { state: "failed", attempt: number, token, failure, fingerprint, ran };
    const keepMs = ran && this.#terms.onCrash === "fail" ? Infinity : this.#keepUnfinishedMs;
    try {
      await this.write(lease, { record, keepMs });
    } catch (noting) {
      // The caller gets the run's own error. To later calls this looks like a crash.
      if (!isHoldfastError(noting, "FENCED")) this.#host.report("record that a run failed", noting);
    }
  }

  get #keepUnfinishedMs(): number {
    return Math.max(this.#terms.keepMs, keepAttemptsMs);
  }

  /**
   * Writes a record, together with the writes that a transaction holds back. Rejects with FencedError once the lease is
   * lost.
   */
  write(lease: Lease, noted: Noted, transaction?: OpenTransaction): Promise<void> {
    return this.#under(lease, noted, async (group) => {
      if (transaction) return transaction.commit(group, this.call());
      const reply = await executeWrite(this.#host.instance, group, this.call());
      if (!reply.ok) throw new FencedError("the lease was lost: the run was not recorded", this.context());
    });
  }

  /**
   * Writes a record together with what `fn` writes through a transaction. Tries again after a conflict, until the
   * timeout.
   */
  async commit<Tx>(
    lease: Lease,
    noted: Noted,
    transactions: TransactionFactory<Tx>,
    fn: (tx: Tx) => unknown,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await transactions.run(fn, {
      signal,
      timeoutMs: this.#terms.timeoutMs,
      commit: async (request) => this.#under(lease, noted, async (group) => request(group, this.call())),
    });
  }

  /** The limits of a request that starts now. */
  call(signal?: AbortSignal): Call {
    return { signal, deadline: this.#host.time.monotonic() + this.#terms.timeoutMs };
  }

  /** The context of an error. */
  context(): { key: string; backend: string } {
    return { key: this.id, backend: this.#host.instance.backend.name };
  }

  /** Sends the group that writes the record while the lease is held. */
  async #under<R>(lease: Lease, { record, keepMs }: Noted, send: (group: Group) => Promise<R>): Promise<R> {
    const grip = gripOf(lease);
    grip.assertHeld();
    const { locks, owner, grant } = grip;
    const ttl = keepMs === Infinity ? undefined : keepMs;
    const group: Group = {
      guards: locks.map((lock) => ({ lock, owner, grant })),
      ops: [{ op: "set", key: this.#key, id: drawRunVersion(record), value: writeRecord(record), ttl }],
    };
    const settled = grip.begin();
    const { time } = this.#host;
    const deadline = time.monotonic() + this.#terms.timeoutMs;
    // A run that has ended is recorded as long as that is possible.
    const until = (): number => (record.state === "running" ? deadline : time.monotonic() + grip.remainingMs());
    let indeterminate = false;
    try {
      return await persist(this.#host, { until }, async () => {
        grip.assertHeld();
        return send(group);
      });
    } catch (error) {
      indeterminate = isHoldfastError(error, "INDETERMINATE");
      throw error;
    } finally {
      settled(indeterminate);
    }
  }
}

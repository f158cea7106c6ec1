import { FencedError, isHoldfastError } from "../base/errors.ts";
import type { Key, Space } from "../base/keys.ts";
import { executeWrite, gripOf, type Call, type OpenTransaction, type TransactionFactory } from "../client/index.ts";
import type { Group, StoredRecord } from "../port/index.ts";
import type { LockHost } from "./host.ts";
import type { Lease } from "./lease.ts";
import { persist } from "./persist.ts";
import { drawRunVersion } from "./stored-runs.ts";
import { readRecord, writeRecord, type RunRecord } from "./run-record.ts";

/** A record, and for how long it is kept. */
export interface Noted {
  readonly record: RunRecord;
  readonly keepMs: number;
}

/** What is stored of the runs of one id. It is written under the lease of the run only. */
export class RunLog {
  readonly id: string;
  readonly #host: LockHost;
  readonly #key: Key;
  readonly #timeoutMs: number;

  constructor(host: LockHost, results: Space, id: string, timeoutMs: number) {
    this.id = id;
    this.#host = host;
    this.#key = { space: results, key: id };
    this.#timeoutMs = timeoutMs;
  }

  async read(signal: AbortSignal | undefined): Promise<RunRecord | undefined> {
    const reply = await this.#host.instance.execute({ ops: [{ op: "get", key: this.#key }] }, this.call(signal));
    return readRecord(this.id, reply.ok ? (reply.results[0] as StoredRecord | undefined) : undefined);
  }

  /** Writes a record, with what a transaction holds back. Rejects with FencedError once the lease is lost. */
  write(lease: Lease, noted: Noted, transaction?: OpenTransaction): Promise<void> {
    return this.#under(lease, noted, async (group) => {
      if (transaction) return transaction.commit(group, this.call());
      const reply = await executeWrite(this.#host.instance, group, this.call());
      if (!reply.ok) throw new FencedError("the lease was lost: the run was not recorded", this.context());
    });
  }

  /** Writes a record together with what `fn` writes through a transaction; again on a conflict, until the timeout. */
  async commit<Tx>(
    lease: Lease,
    noted: Noted,
    transactions: TransactionFactory<Tx>,
    fn: (tx: Tx) => unknown,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await transactions.run(fn, {
      signal,
      timeoutMs: this.#timeoutMs,
      commit: async (request) => this.#under(lease, noted, async (group) => request(group, this.call())),
    });
  }

  /** The limits of a request that starts now. */
  call(signal?: AbortSignal): Call {
    return { signal, deadline: this.#host.time.monotonic() + this.#timeoutMs };
  }

  /** Where an error happened. */
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
    const deadline = time.monotonic() + this.#timeoutMs;
    // What has run is to be recorded while that can be.
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

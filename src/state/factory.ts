import { ConflictError, FencedError } from "../base/errors.ts";
import type { Call, Instance, OpenTransaction, TransactionFactory } from "../client/index.ts";
import type { Group } from "../port/index.ts";
import { runTransaction } from "./transact.ts";
import { Transaction } from "./transaction.ts";

/** Transactions that the lock feature commits, together with records of its own. */
export function transactionFactory(instance: Instance): TransactionFactory<Transaction> {
  return {
    begin: (call) => new Opened(instance, call),
    async run(fn, joined) {
      const { signal, timeoutMs: timeout } = joined;
      await runTransaction(instance, async (tx) => void (await fn(tx)), { signal, timeout }, joined);
    },
  };
}

class Opened implements OpenTransaction<Transaction> {
  readonly tx: Transaction;
  readonly #backend: string;

  constructor(instance: Instance, call: () => Call) {
    this.tx = new Transaction(instance, { call });
    this.#backend = instance.backend.name;
  }

  async commit(extra: Group, call: Call): Promise<void> {
    try {
      await this.tx.settled();
    } finally {
      this.tx.end();
    }
    const done = await this.tx.commit({ ops: extra.ops, guards: extra.guards ?? [] }, call);
    if (done.ok) return;
    const key = done.op && "key" in done.op ? done.op.key.key : undefined;
    const context = { backend: this.#backend, key };
    if (done.why === "conflict") throw new ConflictError("what was read has changed: nothing was written", context);
    throw new FencedError("the lease is no longer held: nothing was written", context);
  }

  abandon(): void {
    this.tx.end();
  }
}

import { onAbort } from "../base/aborts.ts";
import {
  FencedError,
  IndeterminateError,
  InvalidArgumentError,
  isHoldfastError,
  UnavailableError,
  UnsupportedError,
} from "../base/errors.ts";
import type { Group, Outcome, OwnConnection, OwnTransaction } from "../port/index.ts";
import type { Call } from "./calls.ts";
import { gripOf } from "./grips.ts";
import type { Instance } from "./instance.ts";
import { groupWrites } from "./key-order.ts";
import type { Reply } from "./requests.ts";

/**
 * Calls in a transaction of the application. None is gathered with others, waits in the line of a key or is sent again:
 * the connection is the application's.
 */
export class OwnCalls {
  readonly instance: Instance;
  readonly #transaction: OwnTransaction;

  /** Throws UnsupportedError where the backend has no such transactions, InvalidArgumentError for no connection. */
  constructor(instance: Instance, connection: OwnConnection) {
    const { backend, session } = instance;
    if (!session.within) {
      const message = `${backend.name} cannot take part in a transaction of the application`;
      throw new UnsupportedError(message, { backend: backend.name });
    }
    this.instance = instance;
    this.#transaction = session.within(connection);
  }

  /**
   * Executes one group. Rejects with the signal's reason if it was not sent, with what it was refused with, with
   * UnavailableError where nothing of it can be committed, and with IndeterminateError where a statement of a write got
   * no answer.
   */
  async execute(group: Group, call: Call): Promise<Reply> {
    this.instance.assertOpen();
    call.signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      let state: "waits" | "sent" | "over" = "waits";
      const unheard = onAbort(call.signal, () => {
        const lost = state === "sent" && groupWrites(group);
        state = "over";
        reject(
          lost ? this.#lost("aborted after the write was sent", call.signal?.reason) : (call.signal?.reason as Error),
        );
      });
      const claim = (): boolean => {
        if (state === "waits") state = "sent";
        return state === "sent";
      };
      const settle = (outcome: Outcome): void => {
        unheard();
        if (outcome.ok || outcome.why !== "failed") resolve(outcome);
        else if (!outcome.sent) reject(outcome.error);
        else if (groupWrites(group)) reject(this.#lost("a write got no answer", outcome.error));
        else reject(this.#unanswered(outcome.error));
      };
      this.#transaction.execute(group, { deadline: call.deadline, claim }).then(settle, (error: Error) => {
        unheard();
        reject(error);
      });
    });
  }

  /**
   * Makes sure that a lease is held, and has the backend keep it so until the transaction ends. Rejects with
   * InvalidArgumentError for a lease that another instance made, LeaseLostError or FencedError for one that is over,
   * and as {@link execute}.
   */
  async check(lease: { assertHeld(): void }, call: Call): Promise<void> {
    const grip = gripOf(lease);
    const { instance, locks, owner, grant } = grip;
    const { name } = this.instance.backend;
    if (instance !== this.instance) {
      throw new InvalidArgumentError("a transaction checks only leases of the instance that it is of", {
        backend: name,
      });
    }
    const guards = locks.map((lock) => ({ lock, owner, grant }));
    if (!instance.known) await instance.opened(call);
    lease.assertHeld();
    const settled = grip.begin();
    try {
      const reply = await this.execute({ guards, ops: [] }, call);
      if (reply.ok) return;
    } finally {
      // It is in use until the transaction ends, which nobody tells: the next holder must ask the store.
      settled(true);
    }
    throw new FencedError("the lease is no longer held", { backend: name, key: locks[0]?.key });
  }

  #lost(what: string, cause: unknown): IndeterminateError {
    const message = `${what}: roll the transaction back, for it may be committed with it`;
    return new IndeterminateError(message, { backend: this.instance.backend.name, cause });
  }

  #unanswered(error: Error): Error {
    if (isHoldfastError(error)) return error;
    return new UnavailableError("a read got no answer", { backend: this.instance.backend.name, cause: error });
  }
}

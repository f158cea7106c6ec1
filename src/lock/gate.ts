import type { Space } from "../base/keys.ts";
import { within } from "../client/index.ts";
import type { Capabilities } from "../port/index.ts";
import { leave, type Lease } from "./lease.ts";
import type { Terms } from "./options.ts";
import { LocalQueue } from "./queue.ts";
import type { Queues } from "./queues.ts";
import type { LockTable } from "./table.ts";
import { Refusal, type Request } from "./waiter.ts";

/** What `tryRun` gives: the function's value, or who holds the lock, where that is known. */
export type TryRun<R, H> = { readonly ran: true; readonly value: R } | { readonly ran: false; readonly holder?: H };

/** The way to the locks of one space. */
export class Gate {
  readonly table: LockTable;
  readonly space: Space;
  #queues: Queues;

  constructor(table: LockTable, space: Space) {
    this.table = table;
    this.space = space;
    this.#queues = table.queues.of(space.id);
  }

  /** Waits for one lock: a lease, or for a quiet request a {@link Refusal}. Throws or rejects. */
  enter(key: string, request: Request): Promise<Lease | Refusal> {
    this.admit(request.terms);
    const { capabilities } = this.table;
    if (!capabilities) return this.#enterFirst(key, request);
    if (this.#queues.gone) this.#queues = this.table.queues.of(this.space.id);
    let queue = this.#queues.get(key);
    if (!queue) this.#queues.set(key, (queue = this.#make(key, capabilities)));
    return queue.enter(request);
  }

  /** Throws unless the call may begin. */
  admit(terms: Terms): void {
    this.table.instance.assertTaking();
    terms.signal?.throwIfAborted();
  }

  async #enterFirst(key: string, request: Request): Promise<Lease | Refusal> {
    const { signal, timeoutMs } = request.terms;
    await this.table.learn({ signal, deadline: this.table.time.monotonic() + timeoutMs });
    return this.enter(key, request);
  }

  #make(key: string, capabilities: Capabilities): LocalQueue {
    // Leases that are shared are held side by side, and a store that excludes nobody is not made to here.
    const handsOver = this.space.kind !== "shared" && capabilities.exclusion !== "none";
    return new LocalQueue(this.table, { space: this.space, key }, handsOver);
  }
}

/** The lease, or undefined for a refusal. */
export function leaseOf(outcome: Lease | Refusal): Lease | undefined {
  return outcome instanceof Refusal ? undefined : outcome;
}

/** Runs `fn` under a lease and releases it. Settles as `fn` does. */
export async function runUnder<R>(
  table: LockTable,
  lease: Lease,
  fn: (lease: Lease) => R | PromiseLike<R>,
): Promise<R> {
  const { runs } = table.instance;
  const run = runs.start();
  try {
    return await within(run, fn, lease);
  } finally {
    runs.end(run);
    const left = leave(lease);
    if (left instanceof Promise) await left;
  }
}

/** Runs `fn` unless the lock was refused. */
export async function tryRunUnder<R>(
  table: LockTable,
  entering: Promise<Lease | Refusal>,
  fn: (lease: Lease) => R | PromiseLike<R>,
): Promise<TryRun<R, NonNullable<Refusal["holder"]>>> {
  const outcome = await entering;
  if (!(outcome instanceof Refusal)) return { ran: true, value: await runUnder(table, outcome, fn) };
  return outcome.holder ? { ran: false, holder: outcome.holder } : { ran: false };
}

import { within } from "../client/index.ts";
import type { LockHost } from "./host.ts";
import { leave, type Lease } from "./lease.ts";
import { Refusal } from "./refusal.ts";

/** The result of `tryRun`: the function's value, or who holds the lock, where that is known. */
export type TryRun<R, H> = { readonly ran: true; readonly value: R } | { readonly ran: false; readonly holder?: H };

/** The lease, or undefined for a refusal. */
export function leaseOf(outcome: Lease | Refusal): Lease | undefined {
  return outcome instanceof Refusal ? undefined : outcome;
}

/** Runs `fn` under a lease and releases the lease. Settles as `fn` does. */
export async function runUnder<R>(host: LockHost, lease: Lease, fn: (lease: Lease) => R | PromiseLike<R>): Promise<R> {
  const { userFunctions } = host.instance;
  const userFunction = userFunctions.start();
  try {
    return await within(userFunction, fn, lease);
  } finally {
    userFunctions.end(userFunction);
    const left = leave(lease);
    if (left instanceof Promise) await left;
  }
}

/** Runs `fn` unless the lock was refused. */
export async function tryRunUnder<R>(
  host: LockHost,
  entering: Promise<Lease | Refusal>,
  fn: (lease: Lease) => R | PromiseLike<R>,
): Promise<TryRun<R, NonNullable<Refusal["holder"]>>> {
  const outcome = await entering;
  if (!(outcome instanceof Refusal)) return { ran: true, value: await runUnder(host, outcome, fn) };
  return outcome.holder ? { ran: false, holder: outcome.holder } : { ran: false };
}

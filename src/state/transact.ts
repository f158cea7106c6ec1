import { ConflictError, FencedError } from "../base/errors.ts";
import { Diagnostics, refuseForgotten, type CallOptions, type Instance, type Joined, within } from "../client/index.ts";
import { Host } from "./host.ts";
import type { Found, TransactionTerms } from "./ledger.ts";
import { checkFunction, type LeaseOption } from "./options.ts";
import { protectionOf } from "./protection.ts";
import { Transaction } from "./transaction.ts";

/** Options of `transact`. */
export interface TransactOptions extends CallOptions, LeaseOption {}

const diagnostics = new Diagnostics("state");

/**
 * Runs `fn`, and commits what it wrote through the transaction as one atomic step, if everything that it read is still so. Else
 * runs it again, until the timeout. If `fn` throws, the transaction writes nothing and its error is thrown, unless what it
 * read has changed: then it runs again.
 *
 * Rejects with ConflictError (others kept changing what it read until the timeout), FencedError (the lease is over),
 * UnsupportedError (the backend cannot write these keys together), IndeterminateError, or what `fn` throws.
 */
export function transact<R>(
  instance: Instance,
  fn: (tx: Transaction) => R | Promise<R>,
  options?: TransactOptions,
): Promise<R> {
  if (!diagnostics.active) return run(instance, fn, options);
  const source = { name: "", service: "", backend: instance.backend.name };
  return diagnostics.observe(source, "transact", () => run(instance, fn, options));
}

async function run<R>(
  instance: Instance,
  fn: (tx: Transaction) => R | Promise<R>,
  options: TransactOptions | undefined,
): Promise<R> {
  refuseForgotten(options, "lease");
  checkFunction(fn);
  instance.assertTaking();
  return runTransaction(instance, fn, options);
}

/** The same for a call that was admitted; `joined` adds to each try what its caller commits with it. */
export async function runTransaction<R>(
  instance: Instance,
  fn: (tx: Transaction) => R | Promise<R>,
  options: TransactOptions | undefined,
  joined?: Joined,
): Promise<R> {
  const host = Host.of(instance);
  const call = instance.call(options);
  const opened = host.known ?? (await host.ready(call));
  const terms: TransactionTerms = {
    call: () => instance.call(options),
    protection: options?.lease === undefined ? undefined : await protectionOf(options.lease, instance, opened, call),
  };
  const own = instance.runs.start();
  const inside = (tx: Transaction): R | Promise<R> => within(own, fn, tx);
  try {
    let tried = await attempt(instance, host, inside, terms, call.signal, joined);
    while ("conflict" in tried) {
      const { conflict } = tried;
      if (instance.time.monotonic() >= call.deadline) throw kept(instance, conflict);
      const turn = await host.turns.take(conflict.key, call);
      try {
        tried = await attempt(instance, host, inside, { ...terms, known: conflict }, call.signal, joined);
      } finally {
        turn.end();
      }
    }
    return tried.value;
  } finally {
    instance.runs.end(own);
  }
}

/** Runs the function once, and commits; a conflict comes back as what it was with. */
async function attempt<R>(
  instance: Instance,
  host: Host,
  fn: (tx: Transaction) => R | Promise<R>,
  terms: TransactionTerms,
  signal: AbortSignal | undefined,
  joined: Joined | undefined,
): Promise<{ readonly value: R } | { readonly conflict: Found }> {
  host.running.assertLive();
  const tx = new Transaction(instance, terms);
  let value: R;
  try {
    value = await host.running.until(play(fn, tx), signal);
  } catch (error) {
    const conflict = signal?.aborted ? undefined : await changed(tx);
    if (conflict) return { conflict };
    throw error;
  } finally {
    tx.end();
  }
  const done = await (joined
    ? joined.commit(async ({ ops, guards = [] }, call) => tx.commit({ ops, guards }, call))
    : tx.commit());
  if (done.ok) return { value };
  const key = done.op && "key" in done.op ? done.op.key : undefined;
  if (done.why === "conflict" && key) return { conflict: { key, record: done.current } };
  throw new FencedError("the lease is no longer held: nothing was written", {
    backend: instance.backend.name,
    key: key?.key,
  });
}

async function play<R>(fn: (tx: Transaction) => R | Promise<R>, tx: Transaction): Promise<R> {
  const value = await fn(tx);
  await tx.settled();
  return value;
}

/** What a function that failed had read and is no longer so. Where that cannot be asked, its error is all there is to tell. */
async function changed(tx: Transaction): Promise<Found | undefined> {
  try {
    return await tx.stale();
  } catch {
    return undefined;
  }
}

function kept(instance: Instance, { key }: Found): ConflictError {
  const message = "what the transaction read kept being changed by others until the timeout: nothing was written";
  return new ConflictError(message, { backend: instance.backend.name, key: key.key });
}

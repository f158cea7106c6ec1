import { ConflictError, FencedError } from "../base/errors.ts";
import { space, type Key } from "../base/keys.ts";
import { tagOf } from "../base/tags.ts";
import { Diagnostics, refuseForgotten, type CallOptions, type Instance, type Joined, within } from "../client/index.ts";
import type { Opened } from "../port/index.ts";
import { Host } from "./host.ts";
import type { Found, TransactionTerms } from "./ledger.ts";
import { checkFunction, type LeaseOption } from "./options.ts";
import { protectionOf } from "./protection.ts";
import type { Work } from "./task.ts";
import { Transaction } from "./transaction.ts";

/** After so many conflicts a transaction waits in a line. */
const mostConflicts = 2;

/** Options of `transact`. */
export interface TransactOptions extends CallOptions, LeaseOption {}

const diagnostics = new Diagnostics("state");

/**
 * Runs `fn`, and commits what it wrote through the transaction as one atomic step, if nothing that it read has changed.
 * Else runs it again, until the timeout; after its second conflict, or where two others of this process are writing
 * what it has read, it waits for its turn, first come first served. If `fn` throws, the transaction writes nothing and
 * its error is thrown, unless what it read has changed: then it runs again.
 *
 * Rejects with ConflictError (others kept changing what it read until the timeout; `tries` says how often it was
 * tried), FencedError (the lease is over), UnsupportedError (the backend cannot write these keys together),
 * IndeterminateError, or what `fn` throws.
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

/** The same for a call that was admitted. `joined` adds to each try what its caller commits with it. */
export async function runTransaction<R>(
  instance: Instance,
  fn: (tx: Transaction) => R | Promise<R>,
  options: TransactOptions | undefined,
  joined?: Joined,
): Promise<R> {
  const host = Host.of(instance);
  const call = instance.call(options);
  const opened = host.known ?? (await host.ready(call));
  const lease = options?.lease;
  const protection = lease === undefined ? undefined : await protectionOf(lease, instance, opened, call);
  const own = instance.userFunctions.start();
  const inside = (tx: Transaction): R | Promise<R> => within(own, fn, tx);
  const each = { call: () => instance.call(options), protection };
  const attempt = new Attempt(instance, host, inside, each, call.signal, joined);
  try {
    let tries = 0;
    // Called from inside of a user function it must not wait for a turn, which that function may have.
    const polite = own.outer === undefined;
    // Where each tag has a turn of its own, none can be guessed before a record is known.
    const guesses = polite && !joined && opened.capabilities.transact === "full";
    let turn = guesses ? host.lines.likely() : undefined;
    for (let conflict: Found | undefined; !turn;) {
      const tried = await attempt.alone(conflict, polite);
      if ("value" in tried) return tried.value;
      tries++;
      if ("meets" in tried) turn = tried.meets;
      else if ("crowded" in tried) turn = turnOf(tried.crowded, opened);
      else {
        ({ conflict } = tried);
        if (instance.time.monotonic() >= call.deadline) throw kept(instance, conflict.key, tries);
        if (tries >= mostConflicts) turn = turnOf(conflict.key, opened);
      }
    }
    const terms = { instance, running: host.running, opened, protection, joined };
    const place = { turn, mixed: true, with: joined ? attempt : (lease ?? instance), terms };
    return await host.lines.enterFor(() => attempt.keys, place, attempt.inTurn(), call, tries);
  } finally {
    instance.userFunctions.end(own);
  }
}

/**
 * The lock of the turns of transactions: one for a service, or one for a tag where the backend commits only what has
 * one tag.
 */
function turnOf({ space: { service }, key }: Key, { capabilities }: Opened): Key {
  const name = "transact";
  return { space: space("turns", service, name), key: capabilities.transact === "full" ? name : tagOf(key) };
}

/**
 * The result of a try: a value, the record that a conflict was with, the turn that it has to take because others wait
 * for the same records, or the record that several others are about to change.
 */
type Tried<R> =
  { readonly value: R } | { readonly conflict: Found } | { readonly meets: Key } | { readonly crowded: Key };

/** A transaction that is tried until it succeeds. */
class Attempt<R> {
  readonly #instance: Instance;
  readonly #host: Host;
  readonly #fn: (tx: Transaction) => R | Promise<R>;
  readonly #terms: TransactionTerms;
  readonly #signal: AbortSignal | undefined;
  readonly #joined: Joined | undefined;
  /** The transaction of the last try. */
  #tx: Transaction | undefined;

  constructor(
    instance: Instance,
    host: Host,
    fn: (tx: Transaction) => R | Promise<R>,
    terms: TransactionTerms,
    signal: AbortSignal | undefined,
    joined: Joined | undefined,
  ) {
    this.#instance = instance;
    this.#host = host;
    this.#fn = fn;
    this.#terms = terms;
    this.#signal = signal;
    this.#joined = joined;
  }

  /** The keys of the last try. */
  get keys(): Iterable<string> {
    return this.#tx?.items.keys() ?? [];
  }

  /**
   * Runs the function once, and commits. If it is `polite`, it commits only where nobody waits for the same records,
   * and few commits that write them are under way.
   */
  async alone(known: Found | undefined, polite: boolean): Promise<Tried<R>> {
    this.#host.running.assertLive();
    const tx = (this.#tx = new Transaction(this.#instance, { ...this.#terms, known }));
    let value: R;
    try {
      value = await this.#play(tx);
    } catch (error) {
      const conflict = this.#signal?.aborted ? undefined : await changed(tx);
      if (conflict) return { conflict };
      throw error;
    }
    const { lines } = this.#host;
    const { written } = tx;
    if (polite && written.length > 0) {
      const meets = lines.meet(tx.items.keys());
      if (meets) return { meets };
      const crowded = lines.crowded(tx.items);
      if (crowded) return { crowded };
    }
    const joined = this.#joined;
    const done = await lines.committing(written, async () =>
      joined ? joined.commit(async ({ ops, guards }, call) => tx.commit({ ops, guards }, call)) : tx.commit(),
    );
    if (done.ok) return { value };
    const { op } = done;
    const key = op && "key" in op ? op.key : undefined;
    const context = { backend: this.#instance.backend.name, key: key?.key };
    if (done.why !== "conflict" || !key)
      throw new FencedError("the lease is no longer held: nothing was written", context);
    return { conflict: { key, record: done.current } };
  }

  /** The same as work of a line. */
  inTurn(): Work<R> {
    return {
      key: undefined,
      play: async (view) => {
        const tx = (this.#tx = new Transaction(this.#instance, { ...this.#terms, view }));
        const value = await this.#play(tx);
        tx.leave(view);
        return value;
      },
    };
  }

  async #play(tx: Transaction): Promise<R> {
    try {
      return await this.#host.running.until(play(this.#fn, tx), this.#signal);
    } finally {
      tx.end();
    }
  }
}

async function play<R>(fn: (tx: Transaction) => R | Promise<R>, tx: Transaction): Promise<R> {
  const value = await fn(tx);
  await tx.settled();
  return value;
}

/**
 * A record that a failed function had read and that has changed since. If the store cannot be asked, the error of the
 * function is thrown.
 */
async function changed(tx: Transaction): Promise<Found | undefined> {
  try {
    return await tx.stale();
  } catch {
    return undefined;
  }
}

function kept(instance: Instance, { key }: Key, tries: number): ConflictError {
  const message = "what the transaction read kept being changed by others until the timeout: nothing was written";
  return new ConflictError(message, { backend: instance.backend.name, key, tries });
}

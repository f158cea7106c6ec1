import { markClass } from "../base/classes.ts";
import { rejected } from "../base/async.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { checkKey, checkService, space, type Key, type Space } from "../base/keys.ts";
import { Diagnostics, type CallOptions, type Instance, type Source, type TransactionFactory } from "../client/index.ts";
import { elect, type LeaderFunction } from "./elect.ts";
import type { Holder } from "./holder.ts";
import { LockHost } from "./host.ts";
import type { Lease } from "./lease.ts";
import { LockSpace } from "./lock-space.ts";
import type { HolderKind } from "./kinds.ts";
import {
  Looking,
  type ForceReleaseOptions,
  type InspectOptions,
  type KindOptions,
  type ListLocksOptions,
} from "./looking.ts";
import { defaultTerms, termsOf, type AcquireDefaults, type AcquireOptions, type Terms } from "./options.ts";
import { Refusal, timeoutError } from "./refusal.ts";
import { RunLog } from "./run-log.ts";
import { RunOnce } from "./run-once.ts";
import { runOnceTerms, type RunOnceContext, type RunOnceOptions, type RunOnceResult } from "./run-options.ts";
import { Several } from "./several.ts";
import { checkPermits, SharedLock, type ReadWriteLock, type Semaphore, type Side } from "./shared.ts";
import type { StoredRun } from "./stored-runs.ts";
import { leaseOf, runUnder, tryRunUnder, type TryRun } from "./under-lease.ts";

/** Options of a lock, with the defaults of its calls. */
export interface LockOptions<Tx = unknown> extends AcquireDefaults {
  /** Whose lock it is: the same service and name are the same locks. Default `""`. */
  readonly service?: string | undefined;
  /** @internal Makes the transactions that `runOnce` hands to its function. */
  readonly transactions?: TransactionFactory<Tx> | undefined;
}

/** One key, or several that are taken together. */
export type Keys = string | readonly string[];

const diagnostics = new Diagnostics("lock");

/** Locks by key, shared by all who use the same backend, service and name. */
export class Lock<Tx = unknown> {
  static {
    markClass("Lock", Lock);
  }

  /** The name that its users agree on. */
  readonly name: string;
  readonly #instance: Instance;
  readonly #host: LockHost;
  readonly #locks: LockSpace;
  readonly #once: LockSpace;
  readonly #shared: LockSpace;
  readonly #looking: Looking;
  readonly #results: Space;
  readonly #source: Source;
  readonly #terms: Terms;
  readonly #tryTerms: Terms;
  readonly #transactions: TransactionFactory<Tx> | undefined;

  /** Made by `hf.lock(name)` and by the constructors of backends. No I/O. Throws InvalidArgumentError. */
  constructor(instance: Instance, name: string, options?: LockOptions<Tx>) {
    const service = checkService(options?.service ?? "");
    const spaces = {
      lock: space("lock", service, name),
      shared: space("shared", service, name),
      once: space("once", service, name),
      result: space("result", service, name),
    };
    this.name = name;
    this.#instance = instance;
    this.#terms = defaultTerms(options, instance.timeout);
    this.#tryTerms = { ...this.#terms, waitMs: 0 };
    this.#transactions = options?.transactions;
    this.#host = LockHost.of(instance);
    this.#locks = new LockSpace(this.#host, spaces.lock);
    this.#once = new LockSpace(this.#host, spaces.once);
    this.#shared = new LockSpace(this.#host, spaces.shared);
    this.#looking = new Looking(this.#host, spaces);
    this.#results = spaces.result;
    this.#source = { name, service, backend: instance.backend.name };
  }

  /**
   * Waits for the lock, first come first served. Several keys are taken together, each once. Callers that take their
   * keys in one call each never wait for each other in a circle. Not reentrant: a call that waits for a lease of its
   * own caller times out.
   *
   * Rejects with LockTimeoutError after `wait`, and with `signal.reason` on an abort: nothing is held then, even if a
   * request was under way. Rejects with UnavailableError or IndeterminateError if the store did not answer within
   * `timeout`. A store that answers and refuses for now (`UnavailableError.refused`: it is read-only, out of memory,
   * busy or loading) is waited for as the lock is, and its error is the error at the end of `wait`.
   */
  acquire(keys: Keys, options?: AcquireOptions): Promise<Lease> {
    if (!diagnostics.active) return this.#acquire(keys, options);
    return diagnostics.observe(this.#source, "acquire", () => this.#acquire(keys, options));
  }

  /**
   * The same without waiting unless `wait` is given. Gives undefined where {@link acquire} rejects with
   * LockTimeoutError.
   */
  tryAcquire(keys: Keys, options?: AcquireOptions): Promise<Lease | undefined> {
    return diagnostics.observe(this.#source, "tryAcquire", async () => leaseOf(await this.#try(keys, options)));
  }

  /**
   * Runs `fn` under the lock and releases the lock. Settles as `fn` does: a lease that is lost meanwhile aborts
   * `lease.signal` and has its guarded writes refused, but rejects nothing. Rejects as {@link acquire} does, without
   * running `fn`.
   */
  run<R>(keys: Keys, fn: (lease: Lease) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R> {
    if (!diagnostics.active) return this.#run(keys, fn, options);
    return diagnostics.observe(this.#source, "run", () => this.#run(keys, fn, options));
  }

  /** The same without waiting unless `wait` is given. Gives `ran: false` where the lock is not free. */
  tryRun<R>(
    keys: Keys,
    fn: (lease: Lease) => R | PromiseLike<R>,
    options?: AcquireOptions,
  ): Promise<TryRun<R, Holder>> {
    return diagnostics.observe(this.#source, "tryRun", async () => {
      checkFunction(fn);
      return tryRunUnder(this.#host, this.#try(keys, options), fn);
    });
  }

  /**
   * Runs `fn` unless a run of that id has completed within `keep`, and gives its result to all callers. One run at a
   * time; after a crash it may run again, see `onCrash`. Ids are shared with {@link elect}'s names.
   *
   * The caller whose run fails gets its error, and callers that waited for it get RunOnceFailedError. Later calls run
   * it again, or only its `commit` if only that has failed.
   *
   * Rejects with UnsupportedValueError if the result cannot be stored (the run counts as done), RunOnceMismatchError
   * for another `fingerprint`, ConflictError if a record that `tx` read has changed or `commit` met conflicts until the
   * timeout, FencedError if the lease was lost before the result was stored, IndeterminateError, or as {@link acquire}
   * does without running `fn`.
   */
  runOnce<R>(
    id: string,
    fn: (context: RunOnceContext<Tx>) => R | PromiseLike<R>,
    options?: RunOnceOptions<R, Tx>,
  ): Promise<RunOnceResult<R>> {
    return diagnostics.observe(this.#source, "runOnce", async () => {
      checkFunction(fn);
      const terms = runOnceTerms(checkKey(id, "id"), options, { ...termsOf(options, this.#terms), kind: "runOnce" });
      const log = new RunLog(this.#host, this.#results, id, terms);
      return new RunOnce(this.#once, log, fn, terms, this.#transactions).result();
    });
  }

  /**
   * Who holds the lock of a key, or undefined; one of them, if several share it. Exact for holders of this instance,
   * else as of their last renewal. `kind` selects another kind than a lock by key; `"result"` gives the record of the
   * runs of an id, whose value is not transferred.
   */
  inspect(key: string, options: InspectOptions & { readonly kind: "result" }): Promise<StoredRun | undefined>;
  inspect(key: string, options?: KindOptions): Promise<Holder | undefined>;
  inspect(key: string, options: InspectOptions): Promise<Holder | StoredRun | undefined>;
  inspect(key: string, options?: InspectOptions): Promise<Holder | StoredRun | undefined> {
    return diagnostics.observe(this.#source, "inspect", () => this.#looking.inspect(key, options));
  }

  /**
   * Everything of this name that is held now, with its kind: locks, permits of semaphores, sides of read/write locks,
   * elections and runs; and the records of runs (`kind: "result"`), whether they are held or not. In no particular
   * order. No snapshot: a holder may appear twice. `timeout` bounds each request. Throws InvalidArgumentError
   * for another `kind`; reading it rejects with UnsupportedError if the backend cannot list.
   */
  list(options: ListLocksOptions & { readonly kind: "result" }): AsyncIterableIterator<StoredRun>;
  list(options: ListLocksOptions & { readonly kind: HolderKind }): AsyncIterableIterator<Holder>;
  list(options?: ListLocksOptions): AsyncIterableIterator<Holder | StoredRun>;
  list(options?: ListLocksOptions): AsyncIterableIterator<Holder | StoredRun> {
    return this.#looking.list(options, (read) => diagnostics.observe(this.#source, "list", read));
  }

  /**
   * Ends the leases of a key, or the lease of one `owner`, and passes the lock on. Writes guarded by such a lease are
   * refused at once. Its signal aborts at its next renewal, in this instance at once with `reason` in the error. Gives
   * the holder before. A run that is ended has not completed: its record stays, see {@link forget}.
   */
  forceRelease(key: string, reason: string, options?: ForceReleaseOptions): Promise<Holder | undefined> {
    return diagnostics.observe(this.#source, "forceRelease", () => this.#looking.forceRelease(key, reason, options));
  }

  /**
   * Forgets the record of the runs of an id. Resolves with whether there was one. The next `runOnce` runs it as the
   * first attempt, with another `idempotencyKey`. A run under way goes on, and stores its result when it ends. Rejects
   * with UnsupportedError if the backend has no `runOnce`, and as every write does.
   */
  forget(id: string, options?: CallOptions): Promise<boolean> {
    return diagnostics.observe(this.#source, "forget", () => this.#looking.forget(id, options));
  }

  /**
   * A semaphore: at most `permits` holders of that name at a time. If its users give different numbers, each goes by
   * its own.
   */
  semaphore(name: string, options: { readonly permits: number }): Semaphore {
    const permits = checkPermits((options as { permits?: unknown } | undefined)?.permits);
    const lock = this.#side(checkKey(name, "name"), "semaphore", permits);
    return Object.assign(lock, { permits });
  }

  /** A read/write lock: readers together, or one writer. A semaphore of the same name is the same lock. */
  readWrite(name: string): ReadWriteLock {
    checkKey(name, "name");
    return { read: this.#side(name, "read", undefined), write: this.#side(name, "write", undefined) };
  }

  #side(name: string, side: Side, limit: number | undefined): SharedLock {
    return new SharedLock(this.#shared, this.#source, name, side, limit, this.#terms);
  }

  /**
   * Campaigns for the leadership of that name, runs `fn` while it leads, and campaigns again after a loss. `fn` gets
   * the lease, and a signal that aborts on a loss, with `options.signal`, and when the instance begins to close. Then
   * `fn` must end; a close waits for it. The lease is renewed without end unless `maxHold` is given. Names are shared
   * with {@link runOnce}'s ids.
   *
   * Resolves with the value of `fn` when `fn` ends by itself, and with undefined after `options.signal` aborted or the
   * instance began to close. Rejects as `fn` does while it leads.
   */
  elect<R>(name: string, fn: LeaderFunction<R>, options?: Omit<AcquireOptions, "wait">): Promise<R | undefined> {
    return diagnostics.observe(this.#source, "elect", async () => {
      checkFunction(fn);
      const own = termsOf({ ...options, maxHold: options?.maxHold ?? "never" }, this.#terms);
      const terms = { ...own, kind: "election", waitMs: Infinity } as const;
      return elect(this.#once, checkKey(name, "name"), fn, terms);
    });
  }

  async #run<R>(keys: Keys, fn: (lease: Lease) => R | PromiseLike<R>, options: AcquireOptions | undefined): Promise<R> {
    checkFunction(fn);
    return runUnder(this.#host, await this.#acquire(keys, options), fn);
  }

  /** Not async: that saves one promise for each lease. */
  #acquire(keys: Keys, options: AcquireOptions | undefined): Promise<Lease> {
    try {
      // Not quiet, so it gives a lease or rejects.
      return this.#enter(keys, termsOf(options, this.#terms), false) as Promise<Lease>;
    } catch (error) {
      return rejected(error);
    }
  }

  #try(keys: Keys, options: AcquireOptions | undefined): Promise<Lease | Refusal> {
    return this.#enter(keys, termsOf(options, this.#tryTerms), true);
  }

  #enter(keys: Keys, terms: Terms, quiet: boolean): Promise<Lease | Refusal> {
    if (typeof keys === "string") return this.#enterOne(keys, terms, quiet);
    if (!Array.isArray(keys) || keys.length === 0)
      throw new InvalidArgumentError("keys must be a key or a list of keys");
    const locks = Array.from(new Set<string>(keys), (key) => this.#lock(key));
    const [first] = locks as [Key];
    return locks.length === 1 ? this.#enterOne(first.key, terms, quiet) : this.#enterSeveral(locks, terms, quiet);
  }

  #enterOne(key: string, terms: Terms, quiet: boolean): Promise<Lease | Refusal> {
    return this.#locks.enter(checkKey(key), { terms, mode: "exclusive", limit: undefined, quiet });
  }

  async #enterSeveral(locks: readonly Key[], terms: Terms, quiet: boolean): Promise<Lease | Refusal> {
    this.#locks.admit(terms);
    const deadline = this.#host.time.monotonic() + terms.timeoutMs;
    await this.#host.learn({ signal: terms.signal, deadline });
    // The instance may have begun to close meanwhile.
    this.#locks.admit(terms);
    const outcome = await new Several(this.#host, locks, terms).take();
    if (quiet || !(outcome instanceof Refusal)) return outcome;
    const key = outcome.holder?.key ?? (locks[0] as Key).key;
    throw timeoutError(outcome, key, terms.waitMs, this.#instance.backend.name);
  }

  #lock(key: string): Key {
    return { space: this.#locks.space, key: checkKey(key) };
  }
}

function checkFunction(fn: unknown): void {
  if (typeof fn !== "function") throw new InvalidArgumentError("fn must be a function");
}

import { InvalidArgumentError } from "../base/errors.ts";
import type { LockMode } from "../port/index.ts";
import { Diagnostics, type Source } from "../client/index.ts";
import type { Holder } from "./holder.ts";
import type { Lease } from "./lease.ts";
import type { LockSpace } from "./lock-space.ts";
import { termsOf, type AcquireOptions, type Terms } from "./options.ts";
import type { Refusal } from "./refusal.ts";
import { leaseOf, runUnder, tryRunUnder, type TryRun } from "./under-lease.ts";

const diagnostics = new Diagnostics("lock");

/** How a shared lock is asked for. */
export type Side = "semaphore" | "read" | "write";

/** One shared lock with its way of asking: the permits of a semaphore, or a side of a read/write lock. */
export class SharedLock {
  /** The name that its users agree on. */
  readonly name: string;
  readonly #locks: LockSpace;
  readonly #source: Source;
  readonly #mode: LockMode;
  readonly #limit: number | undefined;
  readonly #terms: Terms;
  readonly #tryTerms: Terms;

  /** @internal */
  constructor(locks: LockSpace, source: Source, name: string, side: Side, limit: number | undefined, defaults: Terms) {
    const terms = { ...defaults, kind: side };
    this.name = name;
    this.#locks = locks;
    this.#source = source;
    this.#mode = side === "write" ? "exclusive" : "shared";
    this.#limit = limit;
    this.#terms = terms;
    this.#tryTerms = { ...terms, waitMs: 0 };
  }

  /** As `Lock.acquire`. */
  acquire(options?: AcquireOptions): Promise<Lease> {
    return diagnostics.observe(this.#source, "acquire", async () => this.#lease(options));
  }

  /** As `Lock.tryAcquire`. */
  tryAcquire(options?: AcquireOptions): Promise<Lease | undefined> {
    return diagnostics.observe(this.#source, "tryAcquire", async () => leaseOf(await this.#try(options)));
  }

  /** As `Lock.run`. */
  run<R>(fn: (lease: Lease) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R> {
    return diagnostics.observe(this.#source, "run", async () =>
      runUnder(this.#locks.host, await this.#lease(options), fn),
    );
  }

  /** As `Lock.tryRun`. */
  tryRun<R>(fn: (lease: Lease) => R | PromiseLike<R>, options?: AcquireOptions): Promise<TryRun<R, Holder>> {
    return diagnostics.observe(this.#source, "tryRun", async () =>
      tryRunUnder(this.#locks.host, this.#try(options), fn),
    );
  }

  async #lease(options: AcquireOptions | undefined): Promise<Lease> {
    // Not quiet, so it gives a lease or rejects.
    return (await this.#enter(termsOf(options, this.#terms), false)) as Lease;
  }

  #try(options: AcquireOptions | undefined): Promise<Lease | Refusal> {
    return this.#enter(termsOf(options, this.#tryTerms), true);
  }

  async #enter(terms: Terms, quiet: boolean): Promise<Lease | Refusal> {
    return this.#locks.enter(this.name, { terms, mode: this.#mode, limit: this.#limit, quiet });
  }
}

/** At most `permits` holders at a time, first come first served. Its leases cannot guard a write. */
export interface Semaphore extends SharedLock {
  /** Most holders at a time, for this user of the semaphore. */
  readonly permits: number;
}

/** Readers together or one writer, first come first served. */
export interface ReadWriteLock {
  /** Held together with other readers. Its leases cannot guard a write. */
  readonly read: SharedLock;
  /** Held alone. */
  readonly write: SharedLock;
}

/** Throws InvalidArgumentError for anything but a number of permits. */
export function checkPermits(permits: unknown): number {
  if (typeof permits === "number" && Number.isSafeInteger(permits) && permits > 0) return permits;
  throw new InvalidArgumentError("permits must be a whole number, at least 1");
}

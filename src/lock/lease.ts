import { toMs, type Duration } from "../base/durations.ts";
import { Diagnostics, OwnCalls, readGripsBy, type CallOptions, type Source } from "../client/index.ts";
import type { OwnConnection } from "../port/index.ts";
import type { Hold } from "./hold.ts";
import type { ReleaseResult } from "./releasing.ts";

const diagnostics = new Diagnostics("lock");

/** {@link Lease.release}, without a promise if it needs none. */
export let leave: (lease: Lease) => ReleaseResult | Promise<ReleaseResult>;

/** A lock that is held, until it is released or lost. */
export class Lease implements AsyncDisposable {
  readonly #hold: Hold;

  static {
    leave = (lease) => lease.#hold.leave();
    readGripsBy((lease) => (#hold in lease ? lease.#hold : undefined));
  }

  /** @internal */
  constructor(hold: Hold) {
    this.#hold = hold;
    hold.handle = this;
  }

  /** The locked keys, each once, in the order given. */
  get keys(): readonly string[] {
    return this.#hold.tenure.keys;
  }

  /** The id of this lease, as `contender/n`. */
  get owner(): string {
    return `${this.#hold.owner}/${this.#hold.n}`;
  }

  /** Greater than every earlier fence of these keys. It exceeds 2^53: compare it as a bigint, and store it as text. */
  get fence(): bigint {
    return this.#hold.fence;
  }

  /**
   * Aborts with LeaseLostError when the lease is lost, by the local clocks and without I/O. If the event loop is
   * blocked, it aborts late. A normal release does not abort it.
   */
  get signal(): AbortSignal {
    return this.#hold.signal;
  }

  /**
   * Milliseconds until it ends unless it is renewed. Counted from before the store was asked, less a margin. 0 once it
   * is over.
   */
  get remainingMs(): number {
    return Math.ceil(this.#hold.remainingMs());
  }

  /**
   * Returns if the lease is held. Throws LeaseLostError if it was lost, FencedError if it was released. Synchronous,
   * without I/O.
   */
  assertHeld(): void {
    this.#hold.assertHeldOrLost();
  }

  /**
   * Arms the ttl anew, as renewals do. A given `ttl` replaces that of the lease. Rejects with LeaseLostError if the
   * lease is lost. Rejects with UnavailableError or IndeterminateError if the store could not be asked: the lease is
   * then held as long as before.
   */
  async extend(ttl?: Duration): Promise<void> {
    const ttlMs = ttl === undefined ? undefined : toMs(ttl, "ttl");
    if (!diagnostics.active) return this.#hold.extend(ttlMs);
    return diagnostics.observe(this.#source, "extend", () => this.#hold.extend(ttlMs));
  }

  /**
   * Makes sure, within the transaction that the application has begun on `connection`, that the lease is held at the
   * store, and that nobody else gets one of its locks before that transaction ends: what the application does to its
   * own rows from then on, it does as the holder. It commits nothing. A release waits until the transaction ends.
   *
   * Rejects with UnsupportedError unless the lock is on an SQL server; with InvalidArgumentError for a lease of a
   * semaphore or a reader, and for anything but a connection with a transaction on that server; with LeaseLostError or
   * FencedError if it is not held. The transaction can go on after these. After UnavailableError and IndeterminateError
   * it must be rolled back.
   */
  async checkWithin(connection: OwnConnection, options?: CallOptions): Promise<void> {
    const { instance } = this.#hold;
    await diagnostics.observe(this.#source, "checkWithin", async () =>
      new OwnCalls(instance, connection).check(this, instance.call(options)),
    );
  }

  /**
   * Ends the lease, once every operation that names it has settled. Never rejects, and gives the same result however
   * often it is called: `"released"`; `"lost"` if it had ended before; `"unknown"` if the store could not do it in
   * time. In that case it is repeated until the lease would have ended.
   */
  release(): Promise<ReleaseResult> {
    if (!diagnostics.active) {
      const left = this.#hold.leave();
      return left instanceof Promise ? left : Promise.resolve(left);
    }
    return diagnostics.observe(this.#source, "release", async () => this.#hold.leave());
  }

  /** Releases the lease. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  get #source(): Source {
    const { tenure, instance } = this.#hold;
    return { name: tenure.name, service: tenure.service, backend: instance.backend.name };
  }

  /** Plain data; the fence as a decimal string. */
  toJSON(): { keys: readonly string[]; owner: string; fence: string; remainingMs: number } {
    return { keys: this.keys, owner: this.owner, fence: this.fence.toString(), remainingMs: this.remainingMs };
  }
}

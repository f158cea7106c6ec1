import { toMs, type Duration } from "../base/durations.ts";
import { Diagnostics, readGripsBy, type Source } from "../client/index.ts";
import type { Hold } from "./hold.ts";
import type { ReleaseResult } from "./releasing.ts";

const diagnostics = new Diagnostics("lock");

/** What {@link Lease.release} does, without a promise where it needs none. */
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

  /** What is locked, each key once, in the order given. */
  get keys(): readonly string[] {
    return this.#hold.tenure.keys;
  }

  /** The id of this very lease, as `contender/n`. */
  get owner(): string {
    return `${this.#hold.owner}/${this.#hold.n}`;
  }

  /** Greater than every earlier one of these keys. Over 2^53: compare as bigint, store as text. */
  get fence(): bigint {
    return this.#hold.fence;
  }

  /**
   * Aborts with LeaseLostError when the lease is lost, by the local clocks and without I/O; best effort while the event
   * loop is blocked. A normal release does not abort it.
   */
  get signal(): AbortSignal {
    return this.#hold.signal;
  }

  /**
   * Milliseconds until it ends unless it is renewed; counted from before the store was asked, less a margin. 0 once it
   * is over.
   */
  get remainingMs(): number {
    return Math.ceil(this.#hold.remainingMs());
  }

  /**
   * Returns if it is held. Throws LeaseLostError if it was lost, FencedError if it was released. Synchronous, no I/O.
   */
  assertHeld(): void {
    this.#hold.assertHeldOrLost();
  }

  /**
   * Arms the ttl anew, as renewals do by themselves; a `ttl` given replaces the lease's. Rejects with LeaseLostError if
   * the lease is lost, UnavailableError or IndeterminateError if the store could not be asked: it is held then as long
   * as before.
   */
  async extend(ttl?: Duration): Promise<void> {
    const ttlMs = ttl === undefined ? undefined : toMs(ttl, "ttl");
    if (!diagnostics.active) return this.#hold.extend(ttlMs);
    return diagnostics.observe(this.#source, "extend", () => this.#hold.extend(ttlMs));
  }

  /**
   * Ends it, after every operation that names it has settled. Never rejects, and the same however often it is called:
   * `"released"`; `"lost"` if it had ended before; `"unknown"` if the store could not do it in time: it is tried on
   * until the lease would have ended.
   */
  release(): Promise<ReleaseResult> {
    if (!diagnostics.active) {
      const left = this.#hold.leave();
      return left instanceof Promise ? left : Promise.resolve(left);
    }
    return diagnostics.observe(this.#source, "release", async () => this.#hold.leave());
  }

  /** Releases it. Never throws. */
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

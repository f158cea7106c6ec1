import { FencedError, LeaseLostError, type LeaseLostReason } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Instance, LeaseGrip } from "../client/index.ts";
import { fenceOf } from "./holder.ts";
import type { Terms } from "./options.ts";
import { persist } from "./persist.ts";
import type { ReleaseResult } from "./releasing.ts";
import type { Losing, Tenant } from "./tenant.ts";
import type { Tenure } from "./tenure.ts";

const messages: Readonly<Record<LeaseLostReason, string>> = {
  expired: "the lease ended before it was released or renewed",
  forced: "the store no longer knows the lease: it was forced to end",
  maxHold: "the lease was held for maxHold and not renewed any more",
  closed: "the instance was closed",
};

/** The inside of a lease, a tenant of its tenure: what guards a write under the lease, and how the lease ends. */
export class Hold implements LeaseGrip, Tenant {
  readonly tenure: Tenure;
  /** How often the grant was handed on in this process before. */
  readonly n: number;
  readonly terms: Terms;
  /** By `time.monotonic()`. */
  readonly since: number;
  /** The ttl that a renewal arms. */
  ttlMs: number;
  /** The lease, until {@link weaken} lets go of it. */
  handle: object | undefined;
  #phase: "held" | "leaving" | "over" = "held";
  #lost: LeaseLostError | undefined;
  #controller: AbortController | undefined;
  #operations = 0;
  #doubtful = false;
  #onSettled: (() => void) | undefined;
  #released: Promise<ReleaseResult> | undefined;

  constructor(tenure: Tenure, n: number, terms: Terms, since: number) {
    this.tenure = tenure;
    this.n = n;
    this.terms = terms;
    this.since = since;
    this.ttlMs = terms.ttlMs;
  }

  get instance(): Instance {
    return this.tenure.host.instance;
  }

  get exclusive(): boolean {
    return this.tenure.exclusive;
  }

  get lock(): string {
    return this.tenure.name;
  }

  get locks(): readonly Key[] {
    return this.tenure.locks;
  }

  get owner(): string {
    return this.tenure.owner;
  }

  get grant(): number {
    return this.tenure.grant;
  }

  get fence(): bigint {
    return fenceOf(this.tenure.grant, this.n);
  }

  /** Made on first use: most leases are short, and their signals are not used. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#phase !== "over") this.tenure.check();
      if (this.#lost) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  /** The error that ended it, if it was lost. */
  get lost(): LeaseLostError | undefined {
    return this.#lost;
  }

  /** Whether an operation that named the lease may still take effect: the next holder needs a new grant. */
  get doubtful(): boolean {
    return this.#doubtful;
  }

  remainingMs(): number {
    return this.#phase === "over" ? 0 : Math.max(0, this.tenure.remainingMs());
  }

  /** Throws FencedError unless the lease is held: not released, not lost, not past its local deadline. */
  assertHeld(): void {
    if (this.#phase === "held" && this.tenure.check()) return;
    const context = { backend: this.instance.backend.name, key: this.locks[0]?.key, cause: this.#lost };
    throw new FencedError(
      this.#lost ? "the lease was lost: nothing was sent" : "the lease was released: nothing was sent",
      context,
    );
  }

  begin(): (indeterminate: boolean) => void {
    this.#operations++;
    let settled = false;
    return (indeterminate) => {
      if (settled) return;
      settled = true;
      if (indeterminate) this.#doubtful = true;
      if (--this.#operations === 0) this.#onSettled?.();
    };
  }

  /** Arms the ttl anew; later renewals arm `ttlMs` too. Rejects with LeaseLostError. */
  async extend(ttlMs: number | undefined): Promise<void> {
    this.assertHeldOrLost();
    if (ttlMs !== undefined) this.ttlMs = ttlMs;
    const settled = this.begin();
    const { tenure, terms } = this;
    const { host } = tenure;
    const deadline = host.time.monotonic() + terms.timeoutMs;
    const until = (): number => Math.min(deadline, host.time.monotonic() + tenure.remainingMs());
    try {
      await persist(host, { until }, async () => {
        this.assertHeldOrLost();
        return tenure.extend(this.ttlMs, terms.timeoutMs);
      });
    } finally {
      // The tenure itself knows which extensions are in doubt.
      settled(false);
    }
  }

  /** Throws LeaseLostError if the lease was lost, FencedError if it was released. */
  assertHeldOrLost(): void {
    if (this.#phase === "held" && this.tenure.check()) return;
    if (this.#lost) throw this.#lost;
    this.assertHeld();
  }

  /** Ends the lease, once; at once where that needs no I/O. Never rejects. */
  leave(): ReleaseResult | Promise<ReleaseResult> {
    if (this.#released) return this.#released;
    if (this.#lost) return "lost";
    if (this.#phase === "over") return "released";
    if (this.#operations > 0) return (this.#released = this.#leaveLater());
    this.#phase = "over";
    const result = this.tenure.free(this);
    if (result !== "released") this.#released = Promise.resolve(result);
    return result;
  }

  async #leaveLater(): Promise<ReleaseResult> {
    this.#phase = "leaving";
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
    const { time } = this.tenure.host;
    // An operation still under way then may take effect later.
    const timer = time.after(
      this.terms.timeoutMs,
      () => {
        this.#doubtful = true;
        this.#onSettled?.();
      },
      { ref: true },
    );
    await settled;
    timer.clear();
    if (this.#lost) return "lost";
    this.#phase = "over";
    return this.tenure.free(this);
  }

  /** The lease is lost: its signal aborts, and operations that name it are refused. Called by the tenure. */
  lose(why: LeaseLostReason, losing?: Losing): void {
    const { name, locks, host, keys } = this.tenure;
    this.#phase = "over";
    const message = losing?.reason === undefined ? messages[why] : `${messages[why]}: ${losing.reason}`;
    const backend = host.instance.backend.name;
    this.#lost = new LeaseLostError(message, { why, backend, key: locks[0]?.key, cause: losing?.cause });
    this.#controller?.abort(this.#lost);
    this.handle = undefined;
    host.instance.events.emit("leaseLost", { lock: name, keys, owner: `${this.tenure.owner}/${this.n}`, why });
  }

  /** The lease was collected as garbage: it ends once the operations that name it are over. */
  forget(): void {
    if (this.#phase !== "held") return;
    if (this.#operations > 0) this.#onSettled = () => this.forget();
    else this.tenure.forgotten(this);
  }

  /**
   * Refers to the lease weakly from now on, so that a lease that the application forgot is collected and ends. Done at
   * the first renewal: before that the lease would not end anyway, and most leases are over by then.
   */
  weaken(): void {
    if (!this.handle) return;
    collected.register(this.handle, this, this);
    this.handle = undefined;
  }
}

const collected = new FinalizationRegistry<Hold>((hold) => hold.forget());

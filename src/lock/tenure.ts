import { LeaseLostError, type LeaseLostReason } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Linked } from "../base/linked-list.ts";
import type { Expiring } from "../client/deadlines.ts";
import { Extensions } from "./extensions.ts";
import type { Granting } from "./granting.ts";
import type { LockHost } from "./host.ts";
import { writeInfo } from "./info.ts";
import { Life } from "./life.ts";
import { momentOf, type Moment } from "./margin.ts";
import { releaseInBackground, releaseLocks, type ReleaseResult } from "./releasing.ts";
import type { Losing, Tenant } from "./tenant.ts";

/** Where a tenure goes when its tenant leaves: the local queue. */
export interface Handover {
  /**
   * Hands the tenure on to a waiter of this process. False if it is to be released instead. `now` is
   * `time.monotonic()`, and `remainingMs` what is left then: the caller has looked at both clocks, and each look costs
   * as much as a step of the hand-off.
   */
  pass(tenure: Tenure, previous: Tenant, now: number, remainingMs: number): boolean;
  /** The tenure is over: lost, or being released. */
  ended(tenure: Tenure): void;
}

/** A grant that this instance holds: its local deadline, its renewal, its tenants one after another, its end. */
export class Tenure implements Expiring, Linked<Tenure> {
  readonly host: LockHost;
  readonly locks: readonly Key[];
  readonly owner: string;
  readonly grant: number;
  /** See {@link Granting.markMs}. */
  readonly markMs: number | undefined;
  /** Absent between two tenants, while the store is asked. */
  current: Tenant | undefined;
  /** When {@link expire} is due; see {@link Expiring}. */
  deadline = Infinity;
  previous: Tenure | undefined;
  next: Tenure | undefined;
  readonly #granting: Granting;
  readonly #handover: Handover | undefined;
  readonly #life: Life;
  /** Made for the first extension: most leases are short. */
  #extensions: Extensions | undefined;
  #claimed: boolean;
  #scheduled = false;
  #over = false;

  constructor(granting: Granting, handover?: Handover) {
    this.host = granting.host;
    this.locks = granting.locks;
    this.owner = granting.owner;
    this.grant = granting.grant;
    this.markMs = granting.markMs;
    this.#granting = granting;
    this.#handover = handover;
    this.#life = new Life(this.host.time, granting.sent, granting.ttlMs, granting.renewAt);
    this.#claimed = granting.renewAt !== undefined;
    this.host.held.append(this);
  }

  /** The lock's name. */
  get name(): string {
    return (this.locks[0] as Key).space.name;
  }

  /** The lock's service. */
  get service(): string {
    return (this.locks[0] as Key).space.service;
  }

  get keys(): readonly string[] {
    return this.locks.map((lock) => lock.key);
  }

  get exclusive(): boolean {
    return this.#granting.mode === "exclusive";
  }

  /** Whether it lasts for a claim only. Its first extension ends that. */
  get claimed(): boolean {
    return this.#claimed;
  }

  /** Whether the reply to an extension was lost: the next holder needs a new grant, which a late copy cannot extend. */
  get unsure(): boolean {
    return this.#life.unsure;
  }

  /** The longest ttl that an extension under way arms, in ms; 0 if there is none. */
  get extendingMs(): number {
    return this.#extensions?.longestMs ?? 0;
  }

  /**
   * Time left, in ms: since before the store was asked, by the clock that went further, less a margin. `now` is
   * `time.monotonic()`, for callers that have read it already.
   */
  remainingMs(now = this.host.time.monotonic()): number {
    return this.#over ? 0 : this.#life.remainingMs(now);
  }

  /** Whether it is held. If its deadline has passed it is lost at once. */
  check(remainingMs = this.remainingMs()): boolean {
    if (this.#over) return false;
    if (remainingMs > 0) return true;
    this.lose(this.#whyExpired());
    return false;
  }

  /** Holds it for a tenant from now on. */
  serve(tenant: Tenant): void {
    this.current = tenant;
    this.plan();
  }

  /** The tenant leaves: hands the tenure on in this process, or releases it. */
  free(tenant: Tenant): ReleaseResult | Promise<ReleaseResult> {
    const now = this.host.time.monotonic();
    const remainingMs = this.remainingMs(now);
    if (!this.check(remainingMs)) return "lost";
    const passes = !tenant.doubtful && !this.unsure && this.#handover?.pass(this, tenant, now, remainingMs);
    return passes === true ? "released" : this.release(tenant.terms.timeoutMs, now);
  }

  /** Releases it at the store. */
  release(timeoutMs: number, now = this.host.time.monotonic()): ReleaseResult | Promise<ReleaseResult> {
    const { host, locks, owner } = this;
    this.#end();
    const deadline = now + timeoutMs;
    const until = Math.max(this.#life.storeEnd, now + (this.markMs ?? 0));
    const result = releaseLocks({ host, locks, owner, deadline, until, markMs: this.markMs, awaited: true });
    if (result instanceof Promise) host.background(result);
    this.#handover?.ended(this);
    return result;
  }

  /** It is lost: its tenant is lost too, and the waiters of this process ask the store again. */
  lose(why: LeaseLostReason, losing?: Losing): void {
    if (this.#over) return;
    const tenant = this.current;
    this.#end();
    // An extension under way may yet arm the ttl of a lease that nobody holds, and only one of several locks may have
    // been lost.
    if (losing?.release || this.#extensions?.isOpen || this.markMs !== undefined || this.locks.length > 1) {
      const heldMs = this.#life.storeEnd - this.host.time.monotonic();
      releaseInBackground(this.host, this.locks, this.owner, { heldMs, markMs: this.markMs });
    }
    this.current = undefined;
    tenant?.lose(why, losing);
    this.#handover?.ended(this);
  }

  /** Ends it here and leaves the locks to another tenure of the same owner. */
  dissolve(): void {
    this.#end();
  }

  /** The lease of a tenant was collected as garbage without having been released. */
  forgotten(tenant: Tenant): void {
    if (this.current === tenant) this.lose("expired", { release: true, reason: "it was forgotten" });
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#unschedule();
    this.host.held.remove(this);
  }

  /**
   * Arms the ttl anew at the store. Rejects with LeaseLostError if the store no longer holds it. Rejects as any call
   * does if the store could not be asked: then it is held as long as before.
   */
  async extend(ttlMs: number, timeoutMs: number): Promise<void> {
    const tenant = this.current;
    if (this.#over) throw this.#lostError(tenant);
    const sent = momentOf(this.host.time);
    const info = tenant && writeInfo(tenant.n, tenant.terms);
    // A shorter life counts from now on, whatever becomes of the request.
    if (this.#life.outlasts(ttlMs, sent.mono)) this.#arm(sent, ttlMs);
    this.plan();
    this.#extensions ??= new Extensions(this.#granting, this.#life);
    let held: boolean;
    try {
      held = await this.#extensions.send(ttlMs, info, { signal: undefined, deadline: sent.mono + timeoutMs });
    } catch (error) {
      throw tenant?.lost ?? error;
    }
    if (!held && this.check()) this.lose("forced");
    if (this.#over) throw this.#lostError(tenant);
    this.#arm(sent, ttlMs);
    this.plan();
  }

  #lostError(tenant: Tenant | undefined): LeaseLostError {
    return tenant?.lost ?? new LeaseLostError("the lock was lost", { why: "forced", key: this.keys[0] });
  }

  #arm(sent: Moment, ttlMs: number): void {
    this.#life.arm(sent, ttlMs);
    this.#claimed = false;
  }

  /** Schedules the next renewal, or the end where it is not to be renewed. */
  plan(): void {
    if (this.#over) return;
    const at = Math.min(this.#life.end, this.#life.renewalAt(this.current));
    if (at === this.deadline) return;
    this.#unschedule();
    this.deadline = at;
    this.#scheduled = true;
    this.host.schedule.add(this);
  }

  #unschedule(): void {
    if (this.#scheduled) this.host.schedule.delete(this);
    this.#scheduled = false;
    this.deadline = Infinity;
  }

  /** Called by the schedule. */
  expire(): void {
    this.#scheduled = false;
    this.deadline = Infinity;
    if (!this.check()) return;
    if (this.host.time.monotonic() >= this.#life.renewalAt(this.current)) this.renew();
    else this.plan();
  }

  #whyExpired(): LeaseLostReason {
    const tenant = this.current;
    return tenant?.terms.renew && this.#life.reachesMaxHold(tenant) ? "maxHold" : "expired";
  }

  /** Starts an extension for the present tenant, unless one is under way. */
  renew(): void {
    const tenant = this.current;
    if (!tenant || this.#life.renewing) return;
    this.#life.renewing = true;
    tenant.weaken();
    const leftMs = tenant.since + tenant.terms.maxHoldMs - this.host.time.monotonic();
    // Half of what remains, so that a request without an answer leaves time for another one.
    const timeoutMs = Math.min(tenant.terms.timeoutMs, this.remainingMs() / 2);
    this.host.background(this.#renew(Math.max(1, Math.min(tenant.ttlMs, Math.floor(leftMs))), timeoutMs));
    this.plan();
  }

  async #renew(ttlMs: number, timeoutMs: number): Promise<void> {
    try {
      await this.extend(ttlMs, timeoutMs);
    } catch (error) {
      if (!this.#over) {
        this.host.instance.events.emit("renewalFailed", { lock: this.name, keys: this.keys, error });
        this.#life.renewalFailed(this.host.time.monotonic());
      }
    } finally {
      this.#life.renewing = false;
      this.plan();
    }
  }
}

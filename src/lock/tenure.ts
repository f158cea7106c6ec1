import { isHoldfastError, LeaseLostError, type LeaseLostReason } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Linked } from "../base/linked-list.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { Reply } from "../client/index.ts";
import type { Group, LockMode } from "../port/index.ts";
import type { Hold } from "./hold.ts";
import { writeInfo } from "./info.ts";
import { Life } from "./life.ts";
import { momentOf, type Moment } from "./margin.ts";
import { releaseInBackground, releaseLocks, type ReleaseResult } from "./releasing.ts";
import type { LockTable } from "./table.ts";
import type { Granting, Home, Losing, Turn } from "./turn.ts";

/** Shortest pause before a renewal that failed is tried again, in ms. */
const shortestRetryMs = 20;

/** A grant of the store, held by this instance: its local deadline, its renewal, the turns served under it, its end. */
export class Tenure implements Expiring, Linked<Tenure> {
  readonly table: LockTable;
  readonly locks: readonly Key[];
  readonly mode: LockMode;
  readonly owner: string;
  readonly grant: number;
  /** The turn being served; absent between two turns while the store is asked. */
  current: Turn | undefined;
  /** When it is next looked after; see {@link Expiring}. */
  deadline = Infinity;
  previous: Tenure | undefined;
  next: Tenure | undefined;
  readonly #home: Home | undefined;
  /** See {@link Granting.markMs}. */
  readonly markMs: number | undefined;
  readonly #life: Life;
  #claimed: boolean;
  #scheduled = false;
  #over = false;
  #renewing = false;
  #retryAt = 0;
  /** Extensions whose fate is open: the store may hold on longer than known here. */
  #open = 0;
  /** Extensions under way, and the longest ttl that they arm. */
  #extending = 0;
  #extendingMs = 0;
  /** What the store tells of the holder. */
  #told: string;

  constructor(granting: Granting, told: string) {
    const { sent, ttlMs } = granting;
    this.table = granting.table;
    this.locks = granting.locks;
    this.mode = granting.mode;
    this.owner = granting.owner;
    this.grant = granting.grant;
    this.#home = granting.home;
    this.markMs = granting.markMs;
    this.#told = told;
    this.#life = new Life(this.table.time, sent, ttlMs, granting.renewAt);
    this.#claimed = granting.renewAt !== undefined;
    this.table.tenures.append(this);
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

  /** Whether it lasts for a claim only, until it is first extended. */
  get claimed(): boolean {
    return this.#claimed;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The reply to an extension was lost: what comes next needs a new grant, which a late copy of it does not concern. */
  get unsure(): boolean {
    return this.#life.unsure;
  }

  /** The longest ttl that an extension under way arms; 0 if there is none. */
  get extendingMs(): number {
    return this.#extendingMs;
  }

  /**
   * Time left by the local clocks: whichever went further since before the store was asked, less a margin. `now` is
   * `time.monotonic()`, for those who have asked already.
   */
  remainingMs(now = this.table.time.monotonic()): number {
    return this.#over ? 0 : this.#life.remainingMs(now);
  }

  /** Whether it is held; one that is found past its deadline is lost at once. */
  check(remainingMs = this.remainingMs()): boolean {
    if (this.#over) return false;
    if (remainingMs > 0) return true;
    this.lose(this.#whyExpired());
    return false;
  }

  /** Starts a turn. */
  serve(turn: Turn): void {
    this.current = turn;
    this.plan();
  }

  /** Ends a turn: passes the tenure on in this process, or releases it. */
  free(hold: Hold): ReleaseResult | Promise<ReleaseResult> {
    const now = this.table.time.monotonic();
    const remainingMs = this.remainingMs(now);
    if (!this.check(remainingMs)) return "lost";
    if (this.#home && !hold.doubtful && !this.unsure && this.#home.pass(this, hold, now, remainingMs))
      return "released";
    return this.release(hold.terms.timeoutMs, now);
  }

  /** Releases it at the store. */
  release(timeoutMs: number, now = this.table.time.monotonic()): ReleaseResult | Promise<ReleaseResult> {
    const { table, locks, owner } = this;
    this.#end();
    const deadline = now + timeoutMs;
    const until = Math.max(this.#life.storeEnd, now + (this.markMs ?? 0));
    const result = releaseLocks({ table, locks, owner, deadline, until, markMs: this.markMs, awaited: true });
    if (result instanceof Promise) table.background(result);
    this.#home?.ended(this);
    return result;
  }

  /** It is lost: the turn is told, waiters of this process ask the store again. */
  lose(why: LeaseLostReason, options?: Losing): void {
    if (this.#over) return;
    const hold = this.current;
    this.#end();
    // An extension under way may yet arm the ttl of a lease that nobody holds, and only one of several may have been lost.
    if (options?.release || this.#open > 0 || this.markMs !== undefined || this.locks.length > 1) {
      const heldMs = this.#life.storeEnd - this.table.time.monotonic();
      releaseInBackground(this.table, this.locks, this.owner, { heldMs, markMs: this.markMs });
    }
    this.current = undefined;
    hold?.lose(why, options);
    this.#home?.ended(this);
  }

  /** Ends it here and leaves it to another tenure of the same owner. */
  dissolve(): void {
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#unschedule();
    this.table.tenures.remove(this);
  }

  /** A lease was collected without having been released. */
  forgotten(hold: Hold): void {
    if (this.current === hold) this.lose("expired", { release: true, reason: "it was forgotten" });
  }

  /**
   * Arms the ttl anew at the store. Rejects with LeaseLostError if the store no longer holds it, else as any call: then it is
   * held as long as before.
   */
  async extend(ttlMs: number, timeoutMs: number): Promise<void> {
    const { time, instance } = this.table;
    const hold = this.current;
    if (this.#over) throw this.#lostError(hold);
    const sent = momentOf(time);
    const told = hold ? writeInfo(hold.n, hold.terms.label) : this.#told;
    // A shorter life counts from now on, whatever becomes of the request.
    if (!this.#over && this.#life.outlasts(ttlMs, sent.mono)) this.#arm(sent, ttlMs);
    this.plan();
    const call = { signal: undefined, deadline: sent.mono + timeoutMs };
    const ask = async (lock: Key): Promise<Reply> => instance.execute(this.#extension(lock, ttlMs, told), call);
    this.#open++;
    this.#extending++;
    this.#extendingMs = Math.max(this.#extendingMs, ttlMs);
    let replies: readonly Reply[];
    try {
      replies = await Promise.all(this.locks.map(ask));
    } catch (error) {
      if (this.locks.length === 1 && !isHoldfastError(error, "INDETERMINATE")) this.#open--;
      else this.#life.doubt(ttlMs);
      throw hold?.lost ?? error;
    } finally {
      if (--this.#extending === 0) this.#extendingMs = 0;
    }
    this.#open--;
    if (!replies.every((reply) => reply.ok) && this.check()) this.lose("forced");
    if (this.#over) throw this.#lostError(hold);
    this.#told = told;
    this.#arm(sent, ttlMs);
    this.plan();
  }

  #lostError(hold: Turn | undefined): LeaseLostError {
    return hold?.lost ?? new LeaseLostError("the lock was lost", { why: "forced", key: this.keys[0] });
  }

  /** Where the holder has changed since the store was told, an acquire of the same owner under guard tells it anew. */
  #extension(lock: Key, ttl: number, told: string): Group {
    const { owner, grant, mode } = this;
    if (told !== this.#told && mode === "exclusive" && this.table.capabilities?.guard === "atomic") {
      return { guards: [{ lock, owner, grant }], ops: [{ op: "acquire", lock, owner, mode, ttl, info: told }] };
    }
    return { ops: [{ op: "extend", lock, owner, grant, ttl }] };
  }

  #arm(sent: Moment, ttlMs: number): void {
    this.#life.arm(sent, ttlMs);
    this.#claimed = false;
  }

  /** Sees to it that it is looked after in time: to renew it, or to tell that it has ended. */
  plan(): void {
    if (this.#over) return;
    const { end, renewAt } = this.#life;
    const renewal = this.#renewable() ? Math.max(this.#retryAt, renewAt) : end;
    const at = Math.min(end, renewal);
    if (at === this.deadline) return;
    this.#unschedule();
    this.deadline = at;
    this.#scheduled = true;
    this.table.schedule.add(this);
  }

  #unschedule(): void {
    if (this.#scheduled) this.table.schedule.delete(this);
    this.#scheduled = false;
    this.deadline = Infinity;
  }

  /** Called by the schedule. */
  expire(): void {
    this.#scheduled = false;
    this.deadline = Infinity;
    if (!this.check()) return;
    const now = this.table.time.monotonic();
    if (this.#renewable() && now >= Math.max(this.#retryAt, this.#life.renewAt)) this.renew();
    else this.plan();
  }

  #renewable(): boolean {
    const hold = this.current;
    if (!hold || this.#renewing || !hold.terms.renew) return false;
    return this.#life.storeEnd < hold.since + hold.terms.maxHoldMs;
  }

  #whyExpired(): LeaseLostReason {
    const hold = this.current;
    if (!hold?.terms.renew) return "expired";
    return this.#life.storeEnd >= hold.since + hold.terms.maxHoldMs ? "maxHold" : "expired";
  }

  /** Starts an extension on behalf of the turn being served, unless one is under way. */
  renew(): void {
    const hold = this.current;
    if (!hold || this.#renewing) return;
    this.#renewing = true;
    hold.weaken();
    const left = hold.since + hold.terms.maxHoldMs - this.table.time.monotonic();
    // Half of what remains, so that one request that is never answered leaves time for another.
    const timeoutMs = Math.min(hold.terms.timeoutMs, this.remainingMs() / 2);
    this.table.background(this.#renew(Math.max(1, Math.min(hold.ttlMs, Math.floor(left))), timeoutMs));
    this.plan();
  }

  async #renew(ttlMs: number, timeoutMs: number): Promise<void> {
    try {
      await this.extend(ttlMs, timeoutMs);
    } catch (error) {
      if (!this.#over) {
        this.table.instance.events.emit("renewalFailed", { lock: this.name, keys: this.keys, error });
        const pauseMs = Math.min(this.#life.ttlMs / 9, this.remainingMs() / 4);
        this.#retryAt = this.table.time.monotonic() + Math.max(shortestRetryMs, pauseMs);
      }
    } finally {
      this.#renewing = false;
      this.plan();
    }
  }
}

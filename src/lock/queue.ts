import { isAway, isRefusal, UnavailableError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { LockState } from "../port/index.ts";
import { Campaign, type Ask, type Candidate, type Won } from "./campaign.ts";
import { claimedMs, claimMs, leastClaimMs } from "./claim.ts";
import { Hold } from "./hold.ts";
import { fenceOf, Holder, holderOf } from "./holder.ts";
import { isOfThisProcess, writeInfo } from "./info.ts";
import { Lease } from "./lease.ts";
import { Line } from "./line.ts";
import { askMs, type Terms } from "./options.ts";
import { persist } from "./persist.ts";
import type { LockTable } from "./table.ts";
import { Tenure } from "./tenure.ts";
import type { Home } from "./turn.ts";
import { Refusal, timeoutError, Waiter, type Request } from "./waiter.ts";

/**
 * Most turns under one grant: enough that a round trip to the store costs each of them little, and a quarter of what a fence
 * can count.
 */
const maxTurns = 256;
/** No turn is handed on later than this after the grant was asked for, in ms: what waits elsewhere waits for one turn longer than this. */
const maxBatchMs = 1_000;

/**
 * Those of one instance who want one lock, first come first served, behind one contender at the store. Exclusive turns are
 * handed on here, under one grant; leases that are shared, and those of a store that excludes nobody, have a grant each.
 */
export class LocalQueue implements Home, Candidate {
  readonly #table: LockTable;
  readonly #lock: Key;
  readonly #handsOver: boolean;
  readonly #line: Line;
  #campaign: Campaign | undefined;
  /** Held and handed on here. */
  #tenure: Tenure | undefined;
  #turnsLeft = 0;
  #batchEnd = 0;
  #going = false;
  /** What the store last told those who were refused. */
  #state: LockState | undefined;
  /** Why the store could not be asked last, if it could not. */
  #trouble: { readonly error: unknown } | undefined;

  constructor(table: LockTable, lock: Key, handsOver: boolean) {
    this.#table = table;
    this.#lock = lock;
    this.#handsOver = handsOver;
    this.#line = new Line(table);
  }

  /** Waits for a turn: a lease, a {@link Refusal} for a quiet request, or a rejection. */
  enter(request: Request): Promise<Lease | Refusal> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this, request, resolve, reject);
      const { waitMs } = request.terms;
      if (waitMs === 0 && this.#isTaken()) return this.#refuse(waiter);
      this.#line.append(waiter);
      this.#go();
      // What a store in this process answered at once needs no timer.
      if (waiter.queued) this.#line.arm(waiter);
    });
  }

  /** The turn being served and how many wait here, as `inspect` shows them. */
  holder(remoteWaiting: number): Holder | undefined {
    const tenure = this.#tenure;
    const hold = tenure?.current;
    if (!tenure || !hold || !tenure.check()) return undefined;
    return new Holder({
      key: this.#lock.key,
      owner: `${tenure.owner}/${hold.n}`,
      label: hold.terms.label,
      fence: fenceOf(tenure.grant, hold.n),
      remainingMs: tenure.remainingMs(),
      waiting: this.waitingBeside(remoteWaiting),
    });
  }

  /** Everybody who waits: `remote` contenders at the store, of which this queue may be one, and those here. */
  waitingBeside(remote: number): number {
    return this.#campaign?.waiting ? Math.max(0, remote - 1) + this.#line.size : remote + this.#line.size;
  }

  /** The instance closes. */
  refuseAll(): void {
    this.#rejectAll(new UnavailableError("this instance is closing", { backend: this.#table.instance.backend.name }));
    this.#campaign?.quit();
  }

  // What a campaign asks.

  get wanted(): boolean {
    return this.#line.size > 0;
  }

  ask(): Ask {
    const { terms, mode, limit } = (this.#line.first as Waiter).request;
    const info = writeInfo(0, terms.label);
    const ttlMs = askMs(terms);
    // A shorter one would last longer at the store than was asked for.
    const startsClaimed = this.#handsOver && mode === "exclusive" && terms.renew && ttlMs >= 2 * claimMs;
    return { mode, limit, ttlMs, info, waits: terms.waitMs > 0, timeoutMs: terms.timeoutMs, startsClaimed };
  }

  won({ owner, grant, sent, ask, claimed, markMs }: Won): void {
    this.#campaign = undefined;
    this.#trouble = undefined;
    const home = this.#handsOver ? this : undefined;
    const { mode, info } = ask;
    const table = this.#table;
    const begun = claimed ? table.time.monotonic() : sent.mono;
    const ttlMs = claimed ? claimMs : ask.ttlMs;
    const renewAt = claimed ? begun + claimedMs : undefined;
    const granting = { table, locks: [this.#lock], mode, owner, grant, sent, ttlMs, renewAt, home, markMs };
    const tenure = new Tenure(granting, info);
    const head = this.#line.first as Waiter;
    if (home) {
      this.#tenure = tenure;
      this.#turnsLeft = Math.min(this.#line.size, maxTurns);
      this.#batchEnd = begun + maxBatchMs;
    } else if (head.request.mode !== mode || head.request.limit !== ask.limit) {
      // Whom it was for has left meanwhile.
      void tenure.release(head.request.terms.timeoutMs);
      return this.#go();
    }
    if (ttlMs === askMs(head.request.terms)) this.#serve(tenure, head, 0, sent.mono);
    else this.#handOn(tenure, 0, claimed ? begun : table.time.monotonic());
    if (home) this.#refuseTries();
    this.#go();
  }

  refused(state: LockState, ask: Ask): void {
    this.#state = state;
    this.#trouble = undefined;
    this.#refuseTries(ask.waits ? undefined : ask);
  }

  troubled(error: unknown): void {
    this.#trouble = { error };
    this.#rejectAll(error, ({ waitMs }) => waitMs === 0);
  }

  failed(error: unknown, ask: Ask): void {
    this.#campaign = undefined;
    const away = isAway(error);
    const refused = isRefusal(error);
    // Whoever gives the store more time than this was asked with is not done yet, nor who waits while the store refuses a try.
    this.#rejectAll(error, ({ timeoutMs, waitMs }) => !away || (refused ? waitMs === 0 : timeoutMs <= ask.timeoutMs));
    this.#go();
  }

  late(error: Error, ask: Ask): void {
    this.#campaign = undefined;
    this.#rejectAll(error, (terms) => terms.waitMs === 0 && askMs(terms) <= ask.ttlMs);
    this.#go();
  }

  left(): void {
    this.#campaign = undefined;
    this.#go();
  }

  // What a tenure asks.

  pass(tenure: Tenure, hold: Hold, now: number, remainingMs: number): boolean {
    if (this.#line.size === 0 || this.#turnsLeft === 0 || now > this.#batchEnd) return false;
    this.#handOn(tenure, hold.n + 1, now, remainingMs);
    return true;
  }

  ended(tenure: Tenure): void {
    if (this.#tenure !== tenure) return;
    this.#tenure = undefined;
    this.#go();
  }

  /** Gives the head of the queue its turn, after an extension if what remains is too little for it. */
  #handOn(tenure: Tenure, n: number, now: number, remainingMs = tenure.remainingMs(now)): void {
    const head = this.#line.first as Waiter;
    const { renew, ttlMs, maxHoldMs } = head.request.terms;
    const { claimed } = tenure;
    const leastMs = claimed ? leastClaimMs : ttlMs / 2;
    // What is just being armed for the turn before may be more than this one is to last.
    const tooLong = remainingMs > maxHoldMs || tenure.extendingMs > Math.min(ttlMs, maxHoldMs);
    if (!renew || remainingMs < leastMs || tooLong || (claimed && ttlMs < claimMs)) {
      this.#table.background(this.#extendFirst(tenure, n));
      return;
    }
    this.#serve(tenure, head, n, now);
    // Not behind each of many quick turns: a sixteenth of the ttl is no loss.
    if (!claimed && remainingMs < (ttlMs * 15) / 16) tenure.renew();
  }

  async #extendFirst(tenure: Tenure, n: number): Promise<void> {
    tenure.current = undefined;
    const table = this.#table;
    // While somebody waits and it has not ended.
    const goOn = { until: () => (this.#line.size > 0 ? table.time.monotonic() + tenure.remainingMs() : 0) };
    try {
      for (let head = this.#line.first; head; head = this.#line.first) {
        const { terms } = head.request;
        const extendedMs = askMs(terms);
        const since = this.#table.time.monotonic();
        await persist(table, goOn, async () => tenure.extend(extendedMs, terms.timeoutMs));
        const next = this.#line.first;
        // The one it was extended for may have left meanwhile.
        if (next && askMs(next.request.terms) === extendedMs) return this.#serve(tenure, next, n, since);
      }
      void tenure.release(this.#table.instance.timeout);
    } catch (error) {
      // Whoever waits asks the store anew, and is told if that fails as well.
      tenure.lose("expired", { release: true, cause: error });
    }
  }

  #serve(tenure: Tenure, waiter: Waiter, n: number, since: number): void {
    this.#turnsLeft--;
    this.#line.remove(waiter);
    const hold = new Hold(tenure, n, waiter.request.terms, since);
    tenure.serve(hold);
    waiter.resolve(new Lease(hold));
  }

  /** Asks the store if somebody wants the lock and nobody does so yet. */
  #go(): void {
    if (this.#going) return;
    this.#going = true;
    // A loop, for a store in this process answers at once.
    while (this.#line.size > 0 && !this.#tenure && !this.#campaign) {
      const campaign = new Campaign(this.#table, this.#lock, this);
      this.#campaign = campaign;
      campaign.start();
    }
    this.#going = false;
    if (this.#line.size > 0 || this.#tenure || this.#campaign) return;
    const queues = this.#table.queues.find(this.#lock.space.id);
    if (queues?.get(this.#lock.key) === this) queues.delete(this.#lock.key);
  }

  // Those who wait.

  timedOut(waiter: Waiter): void {
    const tries = waiter.request.terms.waitMs === 0;
    // What is asked on its behalf has a time of its own.
    if (tries && waiter === this.#line.first && this.#campaign) return;
    this.#line.remove(waiter);
    const backend = this.#table.instance.backend.name;
    if (this.#trouble) waiter.reject(this.#trouble.error);
    else if (tries)
      waiter.reject(new UnavailableError("timed out: nothing was asked", { backend, key: this.#lock.key }));
    else this.#refuse(waiter);
    if (this.#line.size === 0) this.#campaign?.quit();
  }

  aborted(waiter: Waiter): void {
    this.#line.remove(waiter);
    waiter.reject(waiter.signal?.reason);
    if (this.#line.size === 0) this.#campaign?.quit();
  }

  /** Whether one who tries once is refused without asking the store. */
  #isTaken(): boolean {
    return this.#tenure?.check() === true || this.#campaign?.waiting === true;
  }

  /** Refuses those who try once; with `ask`, only those who asked for the same. */
  #refuseTries(ask?: Ask): void {
    if (this.#line.tries === 0) return;
    for (const waiter of this.#line.toArray()) {
      const { terms, mode, limit } = waiter.request;
      if (terms.waitMs > 0 || (ask && (mode !== ask.mode || limit !== ask.limit))) continue;
      this.#line.remove(waiter);
      this.#refuse(waiter);
    }
  }

  #refuse(waiter: Waiter): void {
    const { key } = this.#lock;
    const here = this.holder(this.#state?.waiting ?? 0);
    const holder = here ?? holderOf(key, this.#state);
    const own = here !== undefined || (this.#state?.holders.some((one) => isOfThisProcess(one.owner)) ?? false);
    const refusal = new Refusal(holder, own);
    const { quiet, terms } = waiter.request;
    if (quiet) waiter.resolve(refusal);
    else waiter.reject(timeoutError(refusal, key, terms.waitMs, this.#table.instance.backend.name));
  }

  #rejectAll(error: unknown, whose: (terms: Terms) => boolean = () => true): void {
    for (const waiter of this.#line.toArray()) {
      if (!whose(waiter.request.terms)) continue;
      this.#line.remove(waiter);
      waiter.reject(error);
    }
  }
}

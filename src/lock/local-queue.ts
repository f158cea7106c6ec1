import { isAway, isRefusal, UnavailableError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { LockState } from "../port/index.ts";
import { Campaign } from "./campaign.ts";
import type { Ask, Candidate, Won } from "./candidate.ts";
import { claimedMs, claimMs, leastClaimMs } from "./claim.ts";
import { Hold } from "./hold.ts";
import { fenceOf, Holder } from "./holder.ts";
import type { LockHost } from "./host.ts";
import { writeInfo } from "./info.ts";
import { kindOf } from "./kinds.ts";
import { Lease } from "./lease.ts";
import { askMs } from "./options.ts";
import { persist } from "./persist.ts";
import type { Refusal } from "./refusal.ts";
import type { Tenant } from "./tenant.ts";
import { Tenure, type Handover } from "./tenure.ts";
import { Waiter, type LockRequest } from "./waiter.ts";
import { Waiters } from "./waiters.ts";

/**
 * Most leases under one grant: enough that a round trip to the store costs each of them little, and a quarter of what a
 * fence can count.
 */
const maxLeases = 256;
/**
 * The lock is not handed on later than this after the grant was asked for, in ms: waiters of other instances wait for
 * one lease longer than this.
 */
const maxGrantMs = 1_000;

/**
 * The waiters of one instance for one lock, first come first served, behind one contender at the store. An exclusive
 * lock is handed on here, under one grant. Shared leases, and those of a store that excludes nobody, have a grant each.
 */
export class LocalQueue implements Handover, Candidate {
  readonly #host: LockHost;
  readonly #lock: Key;
  readonly #handsOver: boolean;
  /** The queues of the same space, by key. An empty queue takes itself out. */
  readonly #siblings: Map<string, LocalQueue>;
  readonly #waiters: Waiters;
  #campaign: Campaign | undefined;
  /** The tenure that is held and handed on here. */
  #tenure: Tenure | undefined;
  #leasesLeft = 0;
  #grantEnd = 0;
  #going = false;

  constructor(host: LockHost, lock: Key, handsOver: boolean, siblings: Map<string, LocalQueue>) {
    this.#host = host;
    this.#lock = lock;
    this.#handsOver = handsOver;
    this.#siblings = siblings;
    this.#waiters = new Waiters(host, lock, this);
  }

  /** Waits for a lease. Gives a {@link Refusal} for a quiet request, else rejects. */
  enter(request: LockRequest): Promise<Lease | Refusal> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this, request, resolve, reject);
      const { waitMs } = request.terms;
      if (waitMs === 0 && this.#isTaken()) return this.#waiters.refuse(waiter);
      this.#waiters.append(waiter);
      this.#go();
      // A store in this process may have answered at once: then no timer is needed.
      if (waiter.queued) this.#waiters.arm(waiter);
    });
  }

  /** The lease that is held and how many wait, as `inspect` shows them. */
  holder(remoteWaiting: number): Holder | undefined {
    const tenure = this.#tenure;
    const tenant = tenure?.current;
    if (!tenure || !tenant || !tenure.check()) return undefined;
    return new Holder({
      kind: kindOf(this.#lock.space, "exclusive", tenant.terms.kind),
      key: this.#lock.key,
      owner: `${tenure.owner}/${tenant.n}`,
      label: tenant.terms.label,
      fence: fenceOf(tenure.grant, tenant.n),
      remainingMs: tenure.remainingMs(),
      waiting: this.waitingBeside(remoteWaiting),
    });
  }

  /** How many wait in all: `remote` contenders at the store, of which this queue may be one, and the waiters here. */
  waitingBeside(remote: number): number {
    return this.#campaign?.waiting ? Math.max(0, remote - 1) + this.#waiters.size : remote + this.#waiters.size;
  }

  /** The instance closes: rejects every waiter. */
  close(): void {
    this.#waiters.rejectAll(
      new UnavailableError("this instance is closing", { backend: this.#host.instance.backend.name }),
    );
    this.#campaign?.quit();
  }

  // What a campaign asks.

  get wanted(): boolean {
    return this.#waiters.size > 0;
  }

  ask(): Ask {
    const { terms, mode, limit } = (this.#waiters.first as Waiter).request;
    const info = writeInfo(0, terms);
    const ttlMs = askMs(terms);
    // A claim would last longer at the store than a shorter ttl.
    const startsClaimed = this.#handsOver && mode === "exclusive" && terms.renew && ttlMs >= 2 * claimMs;
    return { mode, limit, ttlMs, info, waits: terms.waitMs > 0, timeoutMs: terms.timeoutMs, startsClaimed };
  }

  won({ owner, grant, sent, ask, claimed, markMs }: Won): void {
    this.#campaign = undefined;
    this.#waiters.answered();
    const handsOver = this.#handsOver;
    const { mode, info } = ask;
    const host = this.#host;
    const begun = claimed ? host.time.monotonic() : sent.mono;
    const ttlMs = claimed ? claimMs : ask.ttlMs;
    const renewAt = claimed ? begun + claimedMs : undefined;
    const granting = { host, locks: [this.#lock], mode, owner, grant, sent, ttlMs, renewAt, markMs, info };
    const tenure = new Tenure(granting, handsOver ? this : undefined);
    const head = this.#waiters.first as Waiter;
    if (handsOver) {
      this.#tenure = tenure;
      this.#leasesLeft = Math.min(this.#waiters.size, maxLeases);
      this.#grantEnd = begun + maxGrantMs;
    } else if (head.request.mode !== mode || head.request.limit !== ask.limit) {
      // The waiter that it was asked for has left meanwhile.
      void tenure.release(head.request.terms.timeoutMs);
      return this.#go();
    }
    if (ttlMs === askMs(head.request.terms)) this.#serve(tenure, head, 0, sent.mono);
    else this.#handOn(tenure, 0, claimed ? begun : host.time.monotonic());
    if (handsOver) this.#waiters.refuseTries();
    this.#go();
  }

  refused(state: LockState, ask: Ask): void {
    this.#waiters.answered(state);
    this.#waiters.refuseTries(ask.waits ? undefined : ask);
  }

  troubled(error: unknown): void {
    this.#waiters.troubled(error);
  }

  failed(error: unknown, ask: Ask): void {
    this.#campaign = undefined;
    const away = isAway(error);
    const refused = isRefusal(error);
    // A waiter that gives the store more time than this request had is not done yet, nor is one that waits while the
    // store refuses.
    this.#waiters.rejectAll(
      error,
      ({ timeoutMs, waitMs }) => !away || (refused ? waitMs === 0 : timeoutMs <= ask.timeoutMs),
    );
    this.#go();
  }

  late(error: Error, ask: Ask): void {
    this.#campaign = undefined;
    this.#waiters.rejectAll(error, (terms) => terms.waitMs === 0 && askMs(terms) <= ask.ttlMs);
    this.#go();
  }

  left(): void {
    this.#campaign = undefined;
    this.#go();
  }

  // What a tenure asks.

  pass(tenure: Tenure, previous: Tenant, now: number, remainingMs: number): boolean {
    if (this.#waiters.size === 0 || this.#leasesLeft === 0 || now > this.#grantEnd) return false;
    this.#handOn(tenure, previous.n + 1, now, remainingMs);
    return true;
  }

  ended(tenure: Tenure): void {
    if (this.#tenure !== tenure) return;
    this.#tenure = undefined;
    this.#go();
  }

  /** Gives the first waiter its lease, after an extension if too little remains for it. */
  #handOn(tenure: Tenure, n: number, now: number, remainingMs = tenure.remainingMs(now)): void {
    const head = this.#waiters.first as Waiter;
    const { renew, ttlMs, maxHoldMs } = head.request.terms;
    const { claimed } = tenure;
    const leastMs = claimed ? leastClaimMs : ttlMs / 2;
    // An extension under way for the lease before may arm more than this lease is to last.
    const tooLong = remainingMs > maxHoldMs || tenure.extendingMs > Math.min(ttlMs, maxHoldMs);
    if (!renew || remainingMs < leastMs || tooLong || (claimed && ttlMs < claimMs)) {
      this.#host.background(this.#extendFirst(tenure, n));
      return;
    }
    this.#serve(tenure, head, n, now);
    // Not for each of many short leases: a sixteenth of the ttl is no loss.
    if (!claimed && remainingMs < (ttlMs * 15) / 16) tenure.renew();
  }

  async #extendFirst(tenure: Tenure, n: number): Promise<void> {
    tenure.current = undefined;
    const { time, instance } = this.#host;
    // While a waiter is left and the tenure has not ended.
    const goOn = { until: () => (this.#waiters.size > 0 ? time.monotonic() + tenure.remainingMs() : 0) };
    try {
      for (let head = this.#waiters.first; head; head = this.#waiters.first) {
        const { terms } = head.request;
        const extendedMs = askMs(terms);
        const since = time.monotonic();
        await persist(this.#host, goOn, async () => tenure.extend(extendedMs, terms.timeoutMs));
        const next = this.#waiters.first;
        // The waiter that it was extended for may have left meanwhile.
        if (next && askMs(next.request.terms) === extendedMs) return this.#serve(tenure, next, n, since);
      }
      void tenure.release(instance.timeout);
    } catch (error) {
      // The waiters ask the store anew, and are rejected if that fails as well.
      tenure.lose("expired", { release: true, cause: error });
    }
  }

  #serve(tenure: Tenure, waiter: Waiter, n: number, since: number): void {
    this.#leasesLeft--;
    this.#waiters.remove(waiter);
    const hold = new Hold(tenure, n, waiter.request.terms, since);
    tenure.serve(hold);
    waiter.resolve(new Lease(hold));
  }

  /** Asks the store if there is a waiter, and neither a tenure nor a campaign. */
  #go(): void {
    if (this.#going) return;
    this.#going = true;
    // A loop, for a store in this process answers at once.
    while (this.#waiters.size > 0 && !this.#tenure && !this.#campaign) {
      const campaign = new Campaign(this.#host, this.#lock, this);
      this.#campaign = campaign;
      campaign.start();
    }
    this.#going = false;
    if (this.#waiters.size > 0 || this.#tenure || this.#campaign) return;
    if (this.#siblings.get(this.#lock.key) === this) this.#siblings.delete(this.#lock.key);
  }

  // What a waiter asks.

  timedOut(waiter: Waiter): void {
    const tries = waiter.request.terms.waitMs === 0;
    // The request of the campaign has a timeout of its own.
    if (tries && waiter === this.#waiters.first && this.#campaign) return;
    this.#waiters.timeOut(waiter);
    if (this.#waiters.size === 0) this.#campaign?.quit();
  }

  aborted(waiter: Waiter): void {
    this.#waiters.remove(waiter);
    waiter.reject(waiter.signal?.reason);
    if (this.#waiters.size === 0) this.#campaign?.quit();
  }

  /** Whether a waiter that tries once is refused without a request to the store. */
  #isTaken(): boolean {
    return this.#tenure?.check() === true || this.#campaign?.waiting === true;
  }
}

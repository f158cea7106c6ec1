import { isHoldfastError, isRefusal } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { Reply } from "../client/index.ts";
import type { Granted, Group, LockState } from "../port/index.ts";
import { tooLate, type Ask, type Candidate } from "./candidate.ts";
import { Claim, claimMs } from "./claim.ts";
import type { Contender } from "./contenders.ts";
import type { LockHost } from "./host.ts";
import { marginMs, momentOf, passedMs, type Moment } from "./margin.ts";
import { Polling } from "./polling.ts";
import { releaseInBackground } from "./releasing.ts";
import { Trouble } from "./trouble.ts";

/** One contender for one lock, under an owner id, from its first request until it is granted or gives up. */
export class Campaign implements Contender, Expiring {
  readonly lock: Key;
  /** When it asks again, by `time.monotonic()`; Infinity while no wake-up is planned. */
  deadline = Infinity;
  owner: string;
  readonly #host: LockHost;
  readonly #candidate: Candidate;
  #phase: "idle" | "asking" | "waiting" | "over" = "idle";
  /** Whether the store knows the owner, as far as known here. */
  #queued = false;
  /** The last request: the store's queue keeps its mode and limit. */
  #asked: Ask | undefined;
  /** Set once a reply was lost: a late copy of that request may take effect until the owner is refused. */
  #markMs: number | undefined;
  /** The shortest ttl of such a request: it would cut a grant that lasts longer. */
  #lateMs = Infinity;
  /** Whether it was woken while a request was under way, and the grant that was announced meanwhile. */
  #again = false;
  #announced: number | undefined;
  #claim = new Claim();
  readonly #polling = new Polling();
  readonly #trouble = new Trouble();

  constructor(host: LockHost, lock: Key, candidate: Candidate, owner = drawId()) {
    this.#host = host;
    this.lock = lock;
    this.#candidate = candidate;
    this.owner = owner;
  }

  /** Whether the store has said that the lock is not free, and the campaign waits for it. */
  get waiting(): boolean {
    return this.#queued && this.#phase !== "over";
  }

  /** Starts it. */
  start(): void {
    this.#request();
  }

  /** Something may have changed: asks the store now. */
  wake(): void {
    if (this.#phase === "asking") this.#again = true;
    else if (this.#phase === "waiting") this.#request();
  }

  granted(grant: number | undefined): void {
    if (this.#phase === "asking") this.#announced = grant;
    else if (this.#phase === "waiting" && this.#begin(grant)) return;
    this.wake();
  }

  /** Called by the schedule. */
  expire(): void {
    this.deadline = Infinity;
    this.wake();
  }

  /**
   * The lock is not wanted any more: leaves the store's queue. A request under way is undone once its outcome is known.
   */
  quit(): void {
    if (this.#phase !== "asking") this.#leave();
  }

  #request(): void {
    this.#sleep(undefined);
    // A loop, for a store in this process answers at once.
    for (let again = true; again;) {
      if (!this.#candidate.wanted) return this.#leave();
      again = this.#send(this.#candidate.ask());
    }
  }

  /** Sends a request. True if it was answered at once and another one is to follow. */
  #send(ask: Ask): boolean {
    const differs = this.#queued && (ask.mode !== this.#asked?.mode || ask.limit !== this.#asked.limit);
    if (differs || ask.ttlMs > this.#lateMs) this.#startOver();
    this.#phase = "asking";
    this.#again = false;
    this.#announced = undefined;
    // The signal of a grant may arrive sooner than the refusal that precedes it.
    if (ask.waits) this.#host.contenders.expect(this);
    this.#asked = ask;
    const { time, instance } = this.#host;
    const sent = momentOf(time);
    this.#claim.asked(sent);
    let reply: Reply | Promise<Reply>;
    try {
      reply = instance.execute(this.#group(ask), { signal: undefined, deadline: sent.mono + ask.timeoutMs });
    } catch (error) {
      this.#fail(error, ask, sent);
      return false;
    }
    if (!(reply instanceof Promise)) return this.#settle(reply, ask, sent);
    // A close waits for the reply, for the grant may have to be undone.
    this.#host.background(
      reply.then(
        (settled) => {
          if (this.#settle(settled, ask, sent)) this.#request();
        },
        (error: unknown) => this.#fail(error, ask, sent),
      ),
    );
    return false;
  }

  #group(ask: Ask): Group {
    const { mode, limit, ttlMs: ttl, info } = ask;
    const wait = ask.waits ? { claimMs } : undefined;
    return { ops: [{ op: "acquire", lock: this.lock, owner: this.owner, mode, limit, ttl, wait, info }] };
  }

  /** Takes a reply. True to ask again at once. */
  #settle(reply: Reply, ask: Ask, sent: Moment): boolean {
    this.#phase = "idle";
    this.#trouble.over();
    if (reply.ok) return this.#granted(reply.results[0] as Granted, ask, sent);
    if (reply.why !== "held") {
      this.#startOver();
      return true;
    }
    this.#queued ||= ask.waits;
    this.#claim.refused(sent, reply.state);
    this.#candidate.refused(reply.state, ask);
    if (!ask.waits || this.#again) return !this.#begin(this.#announced);
    if (this.#candidate.wanted) this.#wait(reply.state, reply.ahead);
    else this.#leave();
    return false;
  }

  /** Takes a grant. True to ask again at once. */
  #granted({ grant }: Granted, ask: Ask, sent: Moment): boolean {
    const { time, instance } = this.#host;
    // From now on the owner must be released, whatever happens.
    this.#queued = true;
    if (passedMs(sent, momentOf(time)) >= ask.ttlMs - marginMs(ask.ttlMs)) {
      // It may have ended already: not a lease.
      this.#startOver();
      if (ask.waits) return true;
      this.#end();
      this.#candidate.late(tooLate(instance.backend.name, this.lock.key), ask);
      return false;
    }
    if (!this.#candidate.wanted) {
      this.#leave();
      return false;
    }
    this.#end();
    this.#candidate.won({ owner: this.owner, grant, sent, ask, claimed: false, markMs: this.#markMs });
    return false;
  }

  /**
   * Begins a lease under a grant that was announced, without an `acquire` that confirms it. False if that is not
   * possible.
   */
  #begin(grant: number | undefined): boolean {
    if (grant === undefined || !this.#candidate.wanted) return false;
    const asked = this.#asked as Ask;
    const ask = this.#candidate.ask();
    if (!ask.startsClaimed || asked.mode !== ask.mode || asked.limit !== ask.limit) return false;
    const sent = this.#claim.begins(grant, momentOf(this.#host.time));
    if (!sent) return false;
    this.#end();
    this.#candidate.won({ owner: this.owner, grant, sent, ask: asked, claimed: true, markMs: this.#markMs });
    return true;
  }

  /** Gives the owner up and goes on under a new one. */
  #startOver(): void {
    this.#release();
    this.#host.contenders.delete(this);
    this.owner = drawId();
    this.#queued = false;
    this.#claim = new Claim();
    this.#markMs = undefined;
    this.#lateMs = Infinity;
  }

  #wait(state: LockState, ahead: number): void {
    this.#phase = "waiting";
    const { time, contenders } = this.#host;
    contenders.add(this);
    const now = time.monotonic();
    const holderEnds = state.holders.reduce((least, one) => Math.min(least, one.remainingMs), Infinity);
    this.#sleep(Math.min(now + holderEnds, contenders.nextAsk(this.#polling.pauseMs(state, ahead, now))));
    contenders.listen(this);
  }

  #sleep(until: number | undefined): void {
    if (this.deadline !== Infinity) this.#host.schedule.delete(this);
    this.deadline = until ?? Infinity;
    if (until !== undefined) this.#host.schedule.add(this);
  }

  #fail(error: unknown, ask: Ask, sent: Moment): void {
    this.#phase = "idle";
    const lost = isHoldfastError(error, "INDETERMINATE");
    if (lost) {
      this.#markMs = Math.max(this.#markMs ?? 0, ask.ttlMs);
      this.#lateMs = Math.min(this.#lateMs, ask.ttlMs);
    }
    if (ask.waits && isRefusal(error)) {
      if (this.#trouble.isNews()) this.#host.report("wait for a lock", error);
      this.#candidate.troubled(error);
    }
    if (!this.#candidate.wanted) return this.#leave();
    const known = this.#queued || this.#markMs !== undefined;
    const now = this.#host.time.monotonic();
    const pauseMs = this.#host.isOpen() ? this.#trouble.pause(error, ask, known, sent.mono, now) : undefined;
    if (pauseMs === 0) return this.#request();
    if (pauseMs !== undefined) {
      this.#phase = "waiting";
      this.#sleep(now + pauseMs);
      return;
    }
    this.#end();
    this.#release();
    this.#candidate.failed(error, ask);
  }

  #leave(): void {
    if (this.#phase === "over") return;
    this.#end();
    this.#release();
    this.#candidate.left();
  }

  #release(): void {
    if (!this.#queued && this.#markMs === undefined) return;
    const heldMs = this.#asked?.ttlMs;
    releaseInBackground(this.#host, [this.lock], this.owner, { heldMs, markMs: this.#markMs });
  }

  #end(): void {
    this.#phase = "over";
    this.#sleep(undefined);
    this.#host.contenders.delete(this);
  }
}

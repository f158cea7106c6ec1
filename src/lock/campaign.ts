import { isHoldfastError, isRefusal, UnavailableError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { Reply } from "../client/index.ts";
import type { Granted, Group, LockMode, LockState } from "../port/index.ts";
import { Claim, claimMs } from "./claim.ts";
import { marginMs, momentOf, passedMs, type Moment } from "./margin.ts";
import { releaseInBackground } from "./releasing.ts";
import type { LockTable } from "./table.ts";
import { Trouble } from "./trouble.ts";

/** What to ask the store for. */
export interface Ask {
  readonly mode: LockMode;
  readonly limit: number | undefined;
  readonly ttlMs: number;
  readonly info: string;
  /** Whether to queue if the lock is not free. */
  readonly waits: boolean;
  readonly timeoutMs: number;
  /** Whether an exclusive grant that is told may be a lease for its claim, before an `acquire` has confirmed it. */
  readonly startsClaimed?: boolean | undefined;
}

/** What the store granted to a campaign. */
export interface Won {
  readonly owner: string;
  readonly grant: number;
  /** Before the grant. */
  readonly sent: Moment;
  readonly ask: Ask;
  /** The grant was told and not confirmed: it ends with its claim, unless it is extended. */
  readonly claimed: boolean;
  /** Set if an earlier request may yet arrive: the release must refuse the owner for that long. */
  readonly markMs: number | undefined;
}

/** On whose behalf a campaign asks. */
export interface Candidate {
  /** Whether anybody still wants the lock. */
  readonly wanted: boolean;
  /** What to ask for now. Called only while it is wanted. */
  ask(): Ask;
  /** The lock is held from now on, and the campaign over. */
  won(won: Won): void;
  /** The lock was not free. With `ask.waits` the campaign goes on, else it asks on behalf of the next. */
  refused(state: LockState, ask: Ask): void;
  /** The store refuses to be asked for now. With `ask.waits` the campaign goes on. */
  troubled(error: unknown): void;
  /** The store could not be asked for this. The campaign is over. */
  failed(error: unknown, ask: Ask): void;
  /** The grant of a try came when it had ended already. The campaign is over. */
  late(error: Error, ask: Ask): void;
  /** Nobody wanted the lock any more. The campaign is over. */
  left(): void;
}

/** The error of a try whose grant came when it had ended already. */
export function tooLate(backend: string, key: string): UnavailableError {
  return new UnavailableError("the store answered after the ttl had passed: nothing is held", { backend, key });
}

/** One contender for one lock: an owner id of its own, from its first request until it is granted or gives up. */
export class Campaign implements Expiring {
  readonly lock: Key;
  /** Absent in the schedule unless a wake-up is planned. */
  deadline = Infinity;
  owner: string;
  readonly #table: LockTable;
  readonly #candidate: Candidate;
  #phase: "idle" | "asking" | "waiting" | "over" = "idle";
  /** In the store's queue, as far as known. */
  #queued = false;
  /** The last request, for the store's queue keeps its mode and limit. */
  #asked: Ask | undefined;
  /** Set once the reply to a request of this owner was lost: a late copy of it may take effect until the owner is refused. */
  #markMs: number | undefined;
  /** The shortest ttl of such a request: a grant that is asked to last longer would be cut to it. */
  #lateMs = Infinity;
  /** Woken while a request was under way, and the grant that it was told of. */
  #again = false;
  #told: number | undefined;
  #claim = new Claim();
  readonly #trouble = new Trouble();

  constructor(table: LockTable, lock: Key, candidate: Candidate, owner = drawId()) {
    this.#table = table;
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

  /** Something may have changed: asks now. */
  wake(): void {
    if (this.#phase === "asking") this.#again = true;
    else if (this.#phase === "waiting") this.#request();
  }

  /** The store has granted the lock to this owner, for its claim. */
  granted(grant: number | undefined): void {
    if (this.#phase === "asking") this.#told = grant;
    else if (this.#phase === "waiting" && this.#begin(grant)) return;
    this.wake();
  }

  /** Called by the schedule. */
  expire(): void {
    this.deadline = Infinity;
    this.wake();
  }

  /** Nobody wants the lock any more: leaves no ghost. A request under way is undone when its fate is known. */
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

  /** Sends a request; true if it was answered at once, and is to be followed by another. */
  #send(ask: Ask): boolean {
    const differs = this.#queued && (ask.mode !== this.#asked?.mode || ask.limit !== this.#asked.limit);
    if (differs || ask.ttlMs > this.#lateMs) this.#startOver();
    this.#phase = "asking";
    this.#again = false;
    this.#told = undefined;
    // The grant may be told sooner than the refusal that comes before it: they have different ways.
    if (ask.waits) this.#table.expect(this);
    this.#asked = ask;
    const { time, instance } = this.#table;
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
    // An instance that closes waits for what becomes of it: it may have to be undone.
    this.#table.background(
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

  /** Takes a reply; true if it is to ask again at once. */
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
    if (!ask.waits || this.#again) return !this.#begin(this.#told);
    if (this.#candidate.wanted) this.#wait(reply.state);
    else this.#leave();
    return false;
  }

  /** Takes a grant; true if it is to ask again at once. */
  #granted({ grant }: Granted, ask: Ask, sent: Moment): boolean {
    const { time, instance } = this.#table;
    this.#queued = true; // whatever happens now, the owner is to be released
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

  /** Begins under a grant that was told, without asking for it; whether it does. */
  #begin(grant: number | undefined): boolean {
    if (grant === undefined || !this.#candidate.wanted) return false;
    const asked = this.#asked as Ask;
    const ask = this.#candidate.ask();
    if (!ask.startsClaimed || asked.mode !== ask.mode || asked.limit !== ask.limit) return false;
    const sent = this.#claim.begins(grant, momentOf(this.#table.time));
    if (!sent) return false;
    this.#end();
    this.#candidate.won({ owner: this.owner, grant, sent, ask: asked, claimed: true, markMs: this.#markMs });
    return true;
  }

  /** Gives the owner up and goes on under a new one. */
  #startOver(): void {
    this.#release();
    this.#table.dismiss(this);
    this.owner = drawId();
    this.#queued = false;
    this.#claim = new Claim();
    this.#markMs = undefined;
    this.#lateMs = Infinity;
  }

  #wait(state: LockState): void {
    this.#phase = "waiting";
    this.#table.enlist(this);
    const { time } = this.#table;
    const holderEnds = state.holders.reduce((least, one) => Math.min(least, one.remainingMs), Infinity);
    this.#sleep(Math.min(time.monotonic() + holderEnds, this.#table.nextRefresh()));
    this.#table.listen(this.onListening);
  }

  /** A grant given before it was listened for may have been missed. */
  readonly onListening = (): void => this.wake();

  #sleep(until: number | undefined): void {
    if (this.deadline !== Infinity) this.#table.schedule.delete(this);
    this.deadline = until ?? Infinity;
    if (until !== undefined) this.#table.schedule.add(this);
  }

  #fail(error: unknown, ask: Ask, sent: Moment): void {
    this.#phase = "idle";
    const lost = isHoldfastError(error, "INDETERMINATE");
    if (lost) {
      this.#markMs = Math.max(this.#markMs ?? 0, ask.ttlMs);
      this.#lateMs = Math.min(this.#lateMs, ask.ttlMs);
    }
    if (ask.waits && isRefusal(error)) {
      if (this.#trouble.isNews()) this.#table.report("wait for a lock", error);
      this.#candidate.troubled(error);
    }
    if (!this.#candidate.wanted) return this.#leave();
    const known = this.#queued || this.#markMs !== undefined;
    const now = this.#table.time.monotonic();
    const pauseMs = this.#table.isOpen() ? this.#trouble.pause(error, ask, known, sent.mono, now) : undefined;
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
    releaseInBackground(this.#table, [this.lock], this.owner, { heldMs, markMs: this.#markMs });
  }

  #end(): void {
    this.#phase = "over";
    this.#sleep(undefined);
    this.#table.dismiss(this);
  }
}

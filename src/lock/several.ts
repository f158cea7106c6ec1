import { onAbort } from "../base/aborts.ts";
import { deferred } from "../base/async.ts";
import { isHoldfastError, isRefusal } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { Reply } from "../client/index.ts";
import type { Granted, LockState, Operation } from "../port/index.ts";
import { tooLate, type Ask } from "./candidate.ts";
import { Hold } from "./hold.ts";
import { holderOf } from "./holder.ts";
import type { LockHost } from "./host.ts";
import { isOfThisProcess, writeInfo } from "./info.ts";
import { Lease } from "./lease.ts";
import { momentOf, type Moment } from "./margin.ts";
import { askMs, type Terms } from "./options.ts";
import { persist } from "./persist.ts";
import { Refusal } from "./refusal.ts";
import { releaseInBackground } from "./releasing.ts";
import { Single } from "./single.ts";
import type { Tenant } from "./tenant.ts";
import { Tenure } from "./tenure.ts";

/** Byte order of UTF-8, the same for every caller: who takes locks in one order never waits in a circle. */
function byBytes(a: Key, b: Key): number {
  return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
}

/** The tenant of a lock that is held while the others are gathered. The lock is renewed meanwhile. */
class Part implements Tenant {
  readonly n = 0;
  readonly terms: Terms;
  readonly since: number;
  readonly ttlMs: number;
  readonly lost = undefined;
  readonly doubtful = false;
  readonly weaken = (): undefined => undefined;
  readonly lose = (): undefined => undefined;

  constructor(terms: Terms, since: number) {
    this.terms = { ...terms, renew: true, maxHoldMs: Infinity };
    this.since = since;
    this.ttlMs = terms.ttlMs;
  }
}

/**
 * One call that wants several locks together. It ends with its wait or its signal. Requests under way then are undone
 * later.
 */
export class Several implements Expiring {
  deadline = Infinity;
  readonly #host: LockHost;
  readonly #locks: readonly Key[];
  readonly #terms: Terms;
  readonly #outcome = deferred<Lease | Refusal>();
  #owner = drawId();
  #held: Tenure[] = [];
  #current: Single | undefined;
  /** Who held one of them when all were asked for together. */
  #refused = new Refusal(undefined, false);
  /** Whether they are not wanted any more. */
  #over = false;

  constructor(host: LockHost, locks: readonly Key[], terms: Terms) {
    this.#host = host;
    this.#locks = locks;
    this.#terms = terms;
  }

  /** A lease on all of them, or a refusal that says who holds one of them. */
  async take(): Promise<Lease | Refusal> {
    const { waitMs, signal } = this.#terms;
    const { schedule, time, instance, draining } = this.#host;
    signal?.throwIfAborted();
    if (waitMs > 0 && waitMs < Infinity) {
      this.deadline = time.monotonic() + waitMs;
      schedule.add(this);
    }
    const unheard = onAbort(signal, () => this.#abort());
    draining.add(this);
    this.#host.keepAlive.enter();
    // A close waits for the outcome, for it may have to be undone.
    this.#host.background(this.#run());
    try {
      const outcome = await this.#outcome.promise;
      // A wait that the close cut short is no refusal. A lease that came meanwhile is released with the others.
      if (outcome instanceof Refusal) instance.assertTaking();
      return outcome;
    } finally {
      draining.delete(this);
      this.#host.keepAlive.leave();
      schedule.delete(this);
      unheard();
    }
  }

  /** The instance closes. */
  drain(): void {
    this.expire();
  }

  /** The wait is over. */
  expire(): void {
    this.#over = true;
    // The last refusal of the current one becomes the refusal of this call.
    if (this.#current) this.#current.stop();
    else this.#outcome.resolve(this.#refused);
  }

  #abort(): void {
    this.#over = true;
    this.#outcome.reject(this.#terms.signal?.reason);
    this.#current?.stop();
  }

  /** Settles the outcome unless it is settled, and releases what did not become a lease. */
  async #run(): Promise<void> {
    const { instance } = this.#host;
    try {
      let outcome = await this.#takeTogether();
      for (let tries = 1; !outcome && !this.#over; tries++) {
        this.#letGo();
        // Replies were lost or late. Without `wait`, nothing else would end this.
        if (this.#terms.waitMs === 0 && tries > 2) throw tooLate(instance.backend.name, (this.#locks[0] as Key).key);
        this.#owner = drawId();
        outcome = (await this.#gather()) ?? (await this.#complete());
      }
      this.#outcome.resolve(outcome ?? this.#refused);
    } catch (error) {
      this.#outcome.reject(error);
    } finally {
      this.#letGo();
    }
  }

  /** Asks for all in one group, without waiting. Undefined if they are to be taken one by one. */
  async #takeTogether(): Promise<Lease | Refusal | undefined> {
    const { capabilities, instance, time } = this.#host;
    if (capabilities?.transact !== "full" || this.#locks.length > capabilities.maxGroup) return undefined;
    const terms = this.#terms;
    const ttl = askMs(terms);
    const owner = this.#owner;
    const ask = { owner, mode: "exclusive" as const, limit: undefined, ttl, info: writeInfo(0, terms) };
    const ops = this.#locks.map((lock): Operation => ({ op: "acquire", lock, ...ask }));
    const sent = momentOf(time);
    let reply: Reply;
    try {
      reply = await instance.execute({ ops }, { signal: undefined, deadline: sent.mono + terms.timeoutMs });
    } catch (error) {
      // Taken one by one, each waits for the store.
      if (isRefusal(error) && terms.waitMs > 0) return undefined;
      if (!isHoldfastError(error, "INDETERMINATE")) throw error;
      // They are asked for again one by one, under another owner. This one is refused from now on.
      releaseInBackground(this.#host, this.#locks, owner, { markMs: ttl });
      return undefined;
    }
    if (reply.ok) {
      for (const [i, lock] of this.#locks.entries()) this.#hold(lock, owner, (reply.results[i] as Granted).grant, sent);
      return this.#complete();
    }
    if (reply.why !== "held") return undefined;
    this.#refused = refusal(this.#locks[reply.at] as Key, reply.state);
    return terms.waitMs > 0 ? undefined : this.#refused;
  }

  /** Takes them one by one. A refusal if that took too long. */
  async #gather(): Promise<Refusal | undefined> {
    const { timeoutMs, waitMs } = this.#terms;
    const info = writeInfo(0, this.#terms);
    const ttlMs = askMs(this.#terms);
    for (const lock of [...this.#locks].sort(byBytes)) {
      if (this.#over) return this.#refused;
      const ask: Ask = { mode: "exclusive", limit: undefined, ttlMs, info, waits: waitMs > 0, timeoutMs };
      const single = new Single(this.#host, lock, this.#owner, ask);
      this.#current = single;
      const result = await single.run();
      this.#current = undefined;
      if (!result.won) return result.state ? refusal(lock, result.state) : this.#refused;
      const { owner, grant, sent, markMs } = result.won;
      this.#hold(lock, owner, grant, sent, markMs);
    }
    return undefined;
  }

  #hold(lock: Key, owner: string, grant: number, sent: Moment, markMs?: number): void {
    const ttlMs = askMs(this.#terms);
    const granting = {
      host: this.#host,
      locks: [lock],
      mode: "exclusive" as const,
      owner,
      grant,
      sent,
      ttlMs,
      markMs,
      info: writeInfo(0, this.#terms),
    };
    const tenure = new Tenure(granting);
    tenure.serve(new Part(this.#terms, sent.mono));
    this.#held.push(tenure);
  }

  /** Raises all grants to the highest one. Undefined if one was lost meanwhile, or they are not wanted any more. */
  async #complete(): Promise<Lease | undefined> {
    const { instance, time } = this.#host;
    const owner = this.#owner;
    const held = this.#held;
    if (this.#over || held.some((tenure) => tenure.owner !== owner || !tenure.check())) return undefined;
    const grant = Math.max(...held.map((tenure) => tenure.grant));
    const ttl = askMs(this.#terms);
    const sent = momentOf(time);
    const call = { signal: undefined, deadline: sent.mono + this.#terms.timeoutMs };
    const raise = async ({ locks, grant: from }: Tenure): Promise<Reply> => {
      const ops: Operation[] = [{ op: "extend", lock: locks[0] as Key, owner, grant: from, ttl, raise: grant }];
      return persist(this.#host, { until: () => call.deadline }, () => instance.execute({ ops }, call));
    };
    for (const tenure of held) tenure.dissolve();
    try {
      const replies = await Promise.all(held.map(raise));
      if (!replies.every((reply) => reply.ok)) return undefined;
    } catch (error) {
      if (isHoldfastError(error, "INDETERMINATE")) return undefined;
      throw error;
    }
    const markMs = Math.max(...held.map((tenure) => tenure.markMs ?? 0)) || undefined;
    const info = writeInfo(0, this.#terms);
    const granting = { host: this.#host, locks: this.#locks, owner, grant, sent, ttlMs: ttl, markMs, info };
    const tenure = new Tenure({ ...granting, mode: "exclusive" });
    this.#held = [tenure];
    if (this.#over || !tenure.check()) return undefined;
    const hold = new Hold(tenure, 0, this.#terms, sent.mono);
    tenure.serve(hold);
    this.#held = [];
    const lease = new Lease(hold);
    // Resolved here, before anything can end the wait: else the lease would be held by nobody.
    this.#outcome.resolve(lease);
    return lease;
  }

  /** Releases what was gathered and did not become a lease. */
  #letGo(): void {
    for (const tenure of this.#held.splice(0)) {
      tenure.dissolve();
      const { locks, owner, markMs } = tenure;
      releaseInBackground(this.#host, locks, owner, { heldMs: askMs(this.#terms), markMs });
    }
  }
}

function refusal(lock: Key, state: LockState): Refusal {
  const own = state.holders.some((one) => isOfThisProcess(one.owner));
  return new Refusal(holderOf(lock, state), own);
}

import { isHoldfastError, type LeaseLostError } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import type { Abortable } from "../client/aborts.ts";
import type { Expiring } from "../client/deadlines.ts";
import type { Reply } from "../client/index.ts";
import type { Granted, LockState, Operation } from "../port/index.ts";
import { Hold } from "./hold.ts";
import { holderOf } from "./holder.ts";
import { isOfThisProcess, writeInfo } from "./info.ts";
import { Lease } from "./lease.ts";
import type { Moment } from "./margin.ts";
import { askMs, type Terms } from "./options.ts";
import { tooLate, type Ask } from "./campaign.ts";
import { releaseInBackground } from "./releasing.ts";
import { Single } from "./single.ts";
import type { LockTable } from "./table.ts";
import { Tenure } from "./tenure.ts";
import type { Turn } from "./turn.ts";
import { Refusal } from "./waiter.ts";

/** Byte order of UTF-8, the same for every caller: who takes locks in one order never waits in a circle. */
function byBytes(a: Key, b: Key): number {
  return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
}

/** A lock that is held while the others are gathered: it is renewed, and its loss is noted. */
class Part implements Turn {
  readonly n = 0;
  readonly terms: Terms;
  readonly since: number;
  readonly ttlMs: number;
  lost: LeaseLostError | undefined;
  readonly weaken = (): undefined => undefined;
  readonly lose = (): undefined => undefined;

  constructor(terms: Terms, since: number) {
    this.terms = { ...terms, renew: true, maxHoldMs: Infinity };
    this.since = since;
    this.ttlMs = terms.ttlMs;
  }
}

/** One call that wants several locks together. */
export class Several implements Expiring, Abortable {
  deadline = Infinity;
  readonly #table: LockTable;
  readonly #locks: readonly Key[];
  readonly #terms: Terms;
  #owner = drawId();
  #held: Tenure[] = [];
  #current: Single | undefined;
  #over = false;

  constructor(table: LockTable, locks: readonly Key[], terms: Terms) {
    this.#table = table;
    this.#locks = locks;
    this.#terms = terms;
  }

  /** A lease on all of them, or a refusal that names who is in the way. */
  async take(): Promise<Lease | Refusal> {
    const { waitMs, signal } = this.#terms;
    const { schedule, time, instance } = this.#table;
    signal?.throwIfAborted();
    if (waitMs > 0 && waitMs < Infinity) {
      this.deadline = time.monotonic() + waitMs;
      schedule.add(this);
    }
    this.#table.aborts.add(this);
    this.#table.waiting();
    this.#table.gathering.add(this);
    try {
      let outcome = await this.#takeTogether();
      for (let tries = 1; !outcome; tries++) {
        this.#letGo();
        // Replies were lost or late; without `wait` nothing else would end this.
        if (waitMs === 0 && tries > 2) throw tooLate(instance.backend.name, (this.#locks[0] as Key).key);
        this.#owner = drawId();
        outcome = (await this.#gather()) ?? (await this.#complete());
      }
      // A lease that came while the instance began to close is released with the others; a wait that it cut short is no refusal.
      if (outcome instanceof Refusal) instance.assertTaking();
      return outcome;
    } finally {
      this.#table.gathering.delete(this);
      this.#table.waited();
      schedule.delete(this);
      this.#table.aborts.delete(this);
      this.#letGo();
    }
  }

  /** The wait is over: called by the schedule, and when the instance closes. */
  expire(): void {
    this.#over = true;
    this.#current?.stop();
  }

  get signal(): AbortSignal | undefined {
    return this.#terms.signal;
  }

  /** Called when the signal aborts. */
  abort(): void {
    this.#over = true;
    this.#current?.stop();
  }

  /** One group without waiting; undefined if they are to be taken one by one. */
  async #takeTogether(): Promise<Lease | Refusal | undefined> {
    const { capabilities, instance, time } = this.#table;
    if (capabilities?.transact !== "full" || this.#locks.length > capabilities.maxGroup) return undefined;
    const terms = this.#terms;
    const info = writeInfo(0, terms.label);
    const ttl = askMs(terms);
    const owner = this.#owner;
    const ops = this.#locks.map((lock): Operation => ({
      op: "acquire",
      lock,
      owner,
      mode: "exclusive",
      limit: undefined,
      ttl,
      info,
    }));
    const sent: Moment = { mono: time.monotonic(), wall: time.wall() };
    let reply: Reply;
    try {
      reply = await instance.execute({ ops }, { signal: undefined, deadline: sent.mono + terms.timeoutMs });
    } catch (error) {
      if (!isHoldfastError(error, "INDETERMINATE")) throw error;
      // One by one they are replayed; this owner is refused from now on.
      releaseInBackground(this.#table, this.#locks, owner, ttl);
      return undefined;
    }
    if (reply.ok) {
      for (const [i, lock] of this.#locks.entries()) this.#hold(lock, owner, (reply.results[i] as Granted).grant, sent);
      terms.signal?.throwIfAborted();
      return this.#complete();
    }
    if (terms.waitMs > 0 || reply.why !== "held") return undefined;
    return refusal(this.#locks[reply.at] as Key, reply.state);
  }

  /** Takes them one by one; a refusal if that took too long. */
  async #gather(): Promise<Refusal | undefined> {
    const { label, timeoutMs, waitMs, signal } = this.#terms;
    const info = writeInfo(0, label);
    const ttlMs = askMs(this.#terms);
    for (const lock of [...this.#locks].sort(byBytes)) {
      const ask: Ask = { mode: "exclusive", limit: undefined, ttlMs, info, waits: waitMs > 0, timeoutMs };
      const single = new Single(this.#table, lock, this.#owner, ask);
      this.#current = single;
      if (this.#over) single.stop();
      const result = await single.run();
      this.#current = undefined;
      signal?.throwIfAborted();
      if (!result.won) return refusal(lock, result.state);
      const { owner, grant, sent, markMs } = result.won;
      this.#hold(lock, owner, grant, sent, markMs);
    }
    return undefined;
  }

  #hold(lock: Key, owner: string, grant: number, sent: Moment, markMs?: number): void {
    const ttlMs = askMs(this.#terms);
    const granting = {
      table: this.#table,
      locks: [lock],
      mode: "exclusive" as const,
      owner,
      grant,
      sent,
      ttlMs,
      markMs,
    };
    const tenure = new Tenure(granting, writeInfo(0, this.#terms.label));
    tenure.serve(new Part(this.#terms, sent.mono));
    this.#held.push(tenure);
  }

  /** Raises every grant to one maximum; undefined if one of them was lost meanwhile. */
  async #complete(): Promise<Lease | undefined> {
    const { instance, time } = this.#table;
    const owner = this.#owner;
    const held = this.#held;
    if (held.some((tenure) => tenure.owner !== owner || !tenure.check())) return undefined;
    const grant = Math.max(...held.map((tenure) => tenure.grant));
    const ttl = askMs(this.#terms);
    const sent: Moment = { mono: time.monotonic(), wall: time.wall() };
    const call = { signal: undefined, deadline: sent.mono + this.#terms.timeoutMs };
    const raise = async ({ locks, grant: from }: Tenure): Promise<Reply> =>
      instance.execute({ ops: [{ op: "extend", lock: locks[0] as Key, owner, grant: from, ttl, raise: grant }] }, call);
    for (const tenure of held) tenure.dissolve();
    try {
      const replies = await Promise.all(held.map(raise));
      if (!replies.every((reply) => reply.ok)) return undefined;
    } catch (error) {
      if (isHoldfastError(error, "INDETERMINATE")) return undefined;
      throw error;
    }
    const markMs = Math.max(...held.map((tenure) => tenure.markMs ?? 0)) || undefined;
    const tenure = new Tenure(
      { table: this.#table, locks: this.#locks, mode: "exclusive", owner, grant, sent, ttlMs: ttl, markMs },
      writeInfo(0, this.#terms.label),
    );
    this.#held = [tenure];
    if (!tenure.check()) return undefined;
    const hold = new Hold(tenure, 0, this.#terms, sent.mono);
    tenure.serve(hold);
    this.#held = [];
    return new Lease(hold);
  }

  /** Releases what was gathered and became no lease. */
  #letGo(): void {
    for (const tenure of this.#held.splice(0)) {
      tenure.dissolve();
      releaseInBackground(this.#table, tenure.locks, tenure.owner, tenure.markMs);
    }
  }
}

function refusal({ key }: Key, state: LockState | undefined): Refusal {
  const own = state?.holders.some((one) => isOfThisProcess(one.owner)) ?? false;
  return new Refusal(holderOf(key, state), own);
}

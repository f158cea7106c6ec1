import type { Condition, LockOperation, Outcome, Result, Ttl } from "../../port/index.ts";
import * as rules from "./lock-rules.ts";
import type { Fence, GroupOn, On, OperationOn, View } from "./view.ts";

/**
 * What becomes of a group: first every check, then every effect. It depends on the view alone and changes nothing else, so it may be
 * run again on a fresh view. A group that fails changes nothing, but for what time alone did to a lock, and the place in its
 * queue of an `acquire` that waits.
 */
export function decide<K, W, R, L extends rules.LockRecord>(
  view: View<K, W, R, L>,
  group: GroupOn<K, W>,
  session: string,
): Outcome {
  return new Decision(view, session).run(group);
}

class Decision<K, W, R, L extends rules.LockRecord> {
  readonly #view: View<K, W, R, L>;
  readonly #session: string;
  readonly #results: Result[] = [];
  /** The locks that effects change, by their operation. */
  #locks: (L | undefined)[] | undefined;

  constructor(view: View<K, W, R, L>, session: string) {
    this.#view = view;
    this.#session = session;
  }

  run({ guards, ops }: GroupOn<K, W>): Outcome {
    if (guards !== undefined) {
      for (let i = 0; i < guards.length; i++) {
        const { lock, owner, grant } = guards[i] as (typeof guards)[number];
        if (rules.holdOf(this.#lock(lock), owner, grant) === undefined) return fenced(-1 - i);
      }
    }
    for (let at = 0; at < ops.length; at++) {
      const refused = this.#check(ops[at] as OperationOn<K, W>, at);
      if (refused !== undefined) return refused;
    }
    for (let at = 0; at < ops.length; at++) this.#apply(ops[at] as OperationOn<K, W>, at);
    return { ok: true, results: this.#results };
  }

  /** Adds the result of a read, or a place for that of an effect; why the group fails. */
  #check(op: OperationOn<K, W>, at: number): Outcome | undefined {
    const view = this.#view;
    let result: Result;
    switch (op.op) {
      case "get": {
        const found = this.#shown(op.key, op.stamped);
        if (found !== undefined) result = view.show(op.key, found, op);
        break;
      }
      case "check":
      case "set":
        if (!this.#holds(op.key, op.if)) return this.#conflict(op.key, at);
        break;
      case "touch":
        if (!this.#holds(op.key, op.if)) return this.#conflict(op.key, at);
        result = this.#shown(op.key, op.stamped) !== undefined;
        break;
      case "delete": {
        if (!this.#holds(op.key, op.if)) return this.#conflict(op.key, at);
        const found = this.#shown(op.key, op.stamped);
        if (!op.take) result = found !== undefined;
        else if (found !== undefined) result = view.show(op.key, found);
        break;
      }
      case "floor": {
        const seen = view.floor(op.key);
        if (seen !== undefined && isBelow(op, seen)) return fenced(at);
        break;
      }
      case "inspect":
        result = rules.stateOf(this.#lock(op.lock), view.now);
        break;
      default: {
        const lock = this.#lock(op.lock);
        if (op.op === "acquire") {
          const verdict = rules.judge(lock, op);
          if (verdict === "fenced") return fenced(at);
          if (verdict === "held") return this.#held(op.lock, lock, op, at);
        } else if (op.op === "extend") {
          if (rules.holdOf(lock, op.owner, op.grant) === undefined) return fenced(at);
        } else if (op.op === "steal") result = rules.stateOf(lock, view.now);
        (this.#locks ??= [])[at] = lock;
      }
    }
    this.#results.push(result);
    return undefined;
  }

  /** Has the effect of an operation that was checked. */
  #apply(op: OperationOn<K, W>, at: number): void {
    const view = this.#view;
    switch (op.op) {
      case "get":
      case "check":
      case "inspect":
        return;
      case "set":
        view.put(op, this.#end(op.key, op.ttl));
        return;
      case "touch":
        if (this.#results[at] === true) view.touch(op.key, this.#end(op.key, op.ttl));
        return;
      case "delete":
        view.remove(op.key);
        return;
      case "floor":
        view.raiseFloor(op.key, op, op.keepMs);
        return;
      default:
        if (this.#change(this.#locks?.[at] as L, op, at)) view.saveLock(op.lock, this.#locks?.[at] as L);
    }
  }

  /** Has the effect of an operation on its lock; whether there was one. */
  #change(lock: L, op: LockEffect<K>, at: number): boolean {
    const view = this.#view;
    switch (op.op) {
      case "acquire":
        this.#results[at] = { grant: rules.give(lock, op, view.now, view.leastGrant(lock), this.#session) };
        return true;
      case "extend": {
        const hold = rules.holdOf(lock, op.owner, op.grant) as rules.Hold;
        this.#results[at] = { grant: rules.extend(lock, hold, view.now, op.ttl, op.raise) };
        return true;
      }
      case "release": {
        const before = lock.holds.length + lock.queue.length;
        this.#results[at] = rules.release(lock, op.owner, view.now, op.markMs);
        return op.markMs !== undefined || lock.holds.length + lock.queue.length < before;
      }
      case "steal":
        return rules.steal(lock, op.owner, view.leastGrant(lock));
    }
  }

  /** An acquire that is not granted. A place in the queue is the only effect of a group that fails; it stands alone in its group. */
  #held(key: K, lock: L, op: rules.Acquire, at: number): Outcome {
    const view = this.#view;
    const { now } = view;
    if (op.wait && (view.renewsClaims || !rules.isWhole(lock, op, this.#session, now))) {
      rules.enqueue(lock, op, this.#session, op.wait.claimMs, now);
      view.saveLock(key, lock);
    }
    return { ok: false, why: "held", at, state: rules.stateOf(lock, now), ahead: rules.aheadOf(lock, op.owner) };
  }

  #holds(key: K, wanted: Condition | undefined): boolean {
    if (wanted === undefined) return true;
    const found = this.#view.find(key);
    return "id" in wanted ? found !== undefined && this.#view.idOf(found) === wanted.id : found === undefined;
  }

  #conflict(key: K, at: number): Outcome {
    const found = this.#view.find(key);
    const current = found === undefined ? undefined : this.#view.show(key, found);
    return { ok: false, why: "conflict", at, current };
  }

  /** The record, unless `stamped` and one of its stamps is not current. */
  #shown(key: K, stamped: boolean | "show" | undefined): R | undefined {
    const found = this.#view.find(key);
    return found === undefined || !stamped ? found : this.#view.current(key, found);
  }

  #end(key: K, ttl: Ttl | undefined): number {
    if (ttl === undefined) return Infinity;
    if (typeof ttl === "number") return this.#view.wall + ttl;
    if (ttl !== "keep") return ttl.at;
    const found = this.#view.find(key);
    return found === undefined ? Infinity : this.#view.endOf(found);
  }

  /** The lock as of now: what has expired is gone, and who was next has it. */
  #lock(key: K): L {
    const view = this.#view;
    const lock = view.lock(key);
    rules.reap(lock, view.now);
    // Time alone did this, so it stays whatever becomes of the group that found it.
    if (rules.passes(lock)) view.saveLock(key, lock);
    return lock;
  }
}

type LockEffect<K> = On<Exclude<LockOperation, { op: "inspect" }>, K>;

function isBelow(a: Fence, b: Fence): boolean {
  return a.grant < b.grant || (a.grant === b.grant && a.n < b.n);
}

function fenced(at: number): Outcome {
  return { ok: false, why: "fenced", at };
}

/*
 * Who is who in what backends share. Nobody here knows a server.
 *
 * What becomes of a group:
 *   failures      why a group is refused before it is looked at, and the outcomes of those that failed
 *   decide        the checks and effects of a group, on a `view`: the records, floors and locks of a backend
 *   lock-rules    what holds, waits and ends in one lock. `lock-codec`: a lock as it is stored
 *   pages         limits and cursors of listings
 * When it is over:
 *   deadline      a promise, or a rejection at its deadline. `alarm`: many that are under way, and one timer
 *   due-queue     visits items once their time has come. `passing`: locks that pass on by time alone
 * Signals:
 *   signal-hub    what all sessions of a backend subscribe to. `shared-subscriptions`: names that several listen to,
 *                 each subscribed to once
 *   delivery      tells listeners apart from what they are told of. `bus`: between the sessions of one process
 *   messages      what may be published
 * The way to a server:
 *   driver        loads it
 *   opening       one attempt for all who ask. `reconnecting`: a connection that is replaced when it is lost
 *   pending       how many callers may wait for a connection. `awaited`: they wait, each until its deadline
 */
import type { Condition, LockOperation, Outcome, Result, Ttl } from "../../port/index.ts";
import * as rules from "./lock-rules.ts";
import type { Fence, GroupOn, On, OperationOn, View } from "./view.ts";

/**
 * What becomes of a group: first every check, then every effect. It depends on the view alone and changes nothing else,
 * so it may be run again on a fresh view. A group that fails changes nothing, but for what time alone did to a lock,
 * and the place in its queue of an `acquire` that waits. Expects a group that `refuse` lets through.
 */
export function decide<K, W>(view: View<K, W>, { guards, ops }: GroupOn<K, W>, session: string): Outcome {
  if (guards !== undefined) {
    for (let i = 0; i < guards.length; i++) {
      const { lock, owner, grant } = guards[i] as (typeof guards)[number];
      if (rules.holdOf(lockNow(view, lock), owner, grant) === undefined) return fenced(-1 - i);
    }
  }
  // Nearly every group has one operation. An empty array would grow to room for seventeen results.
  const found: Found[] = ops.length === 1 ? [undefined] : [];
  for (let at = 0; at < ops.length; at++) {
    const refused = check(view, ops[at] as OperationOn<K, W>, at, session, found);
    if (refused !== undefined) return refused;
  }
  for (let at = 0; at < ops.length; at++) apply(view, ops[at] as OperationOn<K, W>, at, session, found);
  return { ok: true, results: found };
}

/**
 * What a check leaves for its operation: its result, or the lock that its effect changes, which then leaves the result.
 */
type Found = Result | rules.LockRecord;

/** Notes what is found; why the group fails. */
function check<K, W>(
  view: View<K, W>,
  op: OperationOn<K, W>,
  at: number,
  session: string,
  found: Found[],
): Outcome | undefined {
  switch (op.op) {
    case "get": {
      const record = shown(view, op.key, op.stamped);
      found[at] = record === undefined ? undefined : view.show(op.key, record, op);
      return undefined;
    }
    case "check":
    case "set":
      if (op.if !== undefined && !holds(view, op.key, op.if)) return conflict(view, op.key, at);
      found[at] = undefined;
      return undefined;
    case "touch":
      if (op.if !== undefined && !holds(view, op.key, op.if)) return conflict(view, op.key, at);
      found[at] = shown(view, op.key, op.stamped) !== undefined;
      return undefined;
    case "delete":
      if (op.if !== undefined && !holds(view, op.key, op.if)) return conflict(view, op.key, at);
      found[at] = view.find(op.key) !== undefined;
      return undefined;
    case "floor": {
      const seen = view.floor(op.key);
      if (seen !== undefined && isBelow(op, seen)) return fenced(at);
      found[at] = undefined;
      return undefined;
    }
    default:
      return checkLock(view, op, at, session, found);
  }
}

function checkLock<K, W>(
  view: View<K, W>,
  op: On<LockOperation, K>,
  at: number,
  session: string,
  found: Found[],
): Outcome | undefined {
  const lock = lockNow(view, op.lock);
  switch (op.op) {
    case "inspect":
      found[at] = rules.stateOf(lock, view.now);
      return undefined;
    case "acquire": {
      const verdict = rules.judge(lock, op);
      if (verdict === "fenced") return fenced(at);
      if (verdict === "held") return held(view, lock, op, at, session);
      break;
    }
    case "extend":
      if (rules.holdOf(lock, op.owner, op.grant) === undefined) return fenced(at);
      break;
    default:
  }
  found[at] = lock;
  return undefined;
}

/** Has the effect of an operation that was checked. */
function apply<K, W>(view: View<K, W>, op: OperationOn<K, W>, at: number, session: string, found: Found[]): void {
  switch (op.op) {
    case "get":
    case "check":
    case "inspect":
      return;
    case "set":
      view.put(op, endOf(view, op.key, op.ttl));
      return;
    case "touch":
      if (found[at] === true) view.touch(op.key, endOf(view, op.key, op.ttl));
      return;
    case "delete":
      view.remove(op.key, found[at] === true);
      return;
    case "floor":
      view.raiseFloor(op.key, op, op.keepMs);
      return;
    default:
      found[at] = change(view, op, found[at] as rules.LockRecord, session);
  }
}

/** Has the effect of an operation on its lock; the result. */
function change<K, W>(view: View<K, W>, op: On<LockEffect, K>, lock: rules.LockRecord, session: string): Result {
  switch (op.op) {
    case "acquire": {
      const grant = rules.give(lock, op, view.now, view.leastGrant(lock), session);
      view.saveLock(op.lock, lock);
      return { grant };
    }
    case "extend": {
      const hold = rules.holdOf(lock, op.owner, op.grant) as rules.Hold;
      const grant = rules.extend(lock, hold, view.now, op.ttl, op.raise);
      view.saveLock(op.lock, lock);
      return { grant };
    }
    case "release": {
      const before = lock.holds.length + lock.queue.length;
      const released = rules.release(lock, op.owner, view.now, op.markMs);
      const left = lock.holds.length + lock.queue.length < before;
      if (left || op.markMs !== undefined) view.saveLock(op.lock, lock);
      return released;
    }
    case "steal": {
      const before = rules.stateOf(lock, view.now);
      if (rules.steal(lock, op.owner, view.leastGrant(lock))) view.saveLock(op.lock, lock);
      return before;
    }
  }
}

type LockEffect = Exclude<LockOperation, { op: "inspect" }>;

/**
 * An acquire that is not granted. A place in the queue is the only effect of a group that fails; it stands alone in its
 * group.
 */
function held<K, W>(
  view: View<K, W>,
  lock: rules.LockRecord,
  op: On<Extract<LockOperation, { op: "acquire" }>, K>,
  at: number,
  session: string,
): Outcome {
  const { now } = view;
  if (op.wait && (view.renewsClaims || !rules.isWhole(lock, op, session, now, view.wholeClaim))) {
    rules.enqueue(lock, op, session, op.wait.claimMs, now);
    view.saveLock(op.lock, lock);
  }
  return { ok: false, why: "held", at, state: rules.stateOf(lock, now), ahead: rules.aheadOf(lock, op.owner) };
}

function holds<K, W>(view: View<K, W>, key: K, wanted: Condition): boolean {
  const found = view.find(key);
  return "id" in wanted ? found !== undefined && view.idOf(found) === wanted.id : found === undefined;
}

function conflict<K, W>(view: View<K, W>, key: K, at: number): Outcome {
  const found = view.find(key);
  return { ok: false, why: "conflict", at, current: found === undefined ? undefined : view.show(key, found) };
}

/** The record, unless `stamped` and one of its stamps is not current. */
function shown<K, W>(view: View<K, W>, key: K, stamped: boolean | "show" | undefined): unknown {
  const found = view.find(key);
  return found === undefined || !stamped ? found : view.current(key, found);
}

function endOf<K, W>(view: View<K, W>, key: K, ttl: Ttl | undefined): number {
  if (ttl === undefined) return Infinity;
  if (typeof ttl === "number") return view.wall + ttl;
  if (ttl !== "keep") return ttl.at;
  const found = view.find(key);
  return found === undefined ? Infinity : view.endOf(found);
}

/** The lock as of now: what has expired is gone, and who was next has it. */
export function lockNow<K, W>(view: View<K, W>, key: K): rules.LockRecord {
  const lock = view.lock(key);
  rules.reap(lock, view.now);
  // Time alone did this, so it stays whatever becomes of the group that found it.
  if (rules.passes(lock)) view.saveLock(key, lock);
  return lock;
}

function isBelow(a: Fence, b: Fence): boolean {
  return a.grant < b.grant || (a.grant === b.grant && a.n < b.n);
}

function fenced(at: number): Outcome {
  return { ok: false, why: "fenced", at };
}

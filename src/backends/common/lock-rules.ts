import type { Holding, LockMode, LockOperation, LockState } from "../../port/index.ts";

/** One hold. `until` is a moment of the backend's lease clock, in ms, as every time here. */
export interface Hold {
  readonly owner: string;
  readonly mode: LockMode;
  grant: number;
  info: string;
  until: number;
  /** The session that holds it, where that is of interest. */
  session: string | undefined;
  /** Handed to the session, which has not confirmed it yet by an acquire. */
  pending: boolean;
}

/** One place in the queue. */
export interface Waiter {
  readonly owner: string;
  /** The session to tell of a grant. */
  readonly session: string;
  readonly mode: LockMode;
  readonly limit: number | undefined;
  readonly info: string;
  /** How long a grant handed to it lasts until it is confirmed. */
  readonly claimMs: number;
  until: number;
}

/** An owner that may not acquire the lock. */
export interface Mark {
  readonly owner: string;
  until: number;
}

/**
 * Everything known of one lock. The functions below change it in place; expired parts are nothing until they are
 * reaped.
 */
export interface LockRecord {
  /** The highest grant ever given, or 0. */
  grant: number;
  readonly holds: Hold[];
  readonly queue: Waiter[];
  readonly marks: Mark[];
}

/** An acquire, whatever names its lock. */
export type Acquire = Omit<Extract<LockOperation, { op: "acquire" }>, "lock">;

/** What an acquire would meet. */
export type Verdict = "granted" | "held" | "fenced";

/** A lock that nobody has touched. */
export function emptyLock(): LockRecord {
  return { grant: 0, holds: [], queue: [], marks: [] };
}

/** Drops what has expired; whether there was any. Every other function expects a record that was reaped at `now`. */
export function reap(record: LockRecord, now: number): boolean {
  const held = drop(record.holds, now);
  const waited = drop(record.queue, now);
  const marked = drop(record.marks, now);
  return held || waited || marked;
}

function drop(list: { readonly until: number }[], now: number): boolean {
  let kept = 0;
  for (let i = 0; i < list.length; i++) {
    const one = list[i] as { readonly until: number };
    if (one.until > now) list[kept++] = one;
  }
  if (kept === list.length) return false;
  list.length = kept;
  return true;
}

/** What `op` would meet, changing nothing. An owner that holds the lock is granted it again. */
export function judge(record: LockRecord, op: Acquire): Verdict {
  if (indexOf(record.marks, op.owner) >= 0) return "fenced";
  if (indexOf(record.holds, op.owner) >= 0) return "granted";
  return fits(record.holds, op.mode, op.limit) && aheadOf(record, op.owner) === 0 ? "granted" : "held";
}

/**
 * Gives the lock to `op.owner`, for which {@link judge} said "granted"; the grant. `least` is max(floor, server µs).
 */
export function give(record: LockRecord, op: Acquire, now: number, least: number, session?: string): number {
  const own = record.holds[indexOf(record.holds, op.owner)];
  if (own) {
    own.until = now + op.ttl;
    own.info = op.info;
    own.pending = false;
    own.session = session;
    return own.grant;
  }
  leave(record, op.owner);
  const grant = nextGrant(record, least);
  const { owner, mode, info, ttl } = op;
  record.holds.push({ owner, mode, grant, info, until: now + ttl, session, pending: false });
  return grant;
}

/** Puts `op.owner` into the queue, or renews its claim at its old place. */
export function enqueue(record: LockRecord, op: Acquire, session: string, claimMs: number, now: number): void {
  const { owner, mode, limit, info } = op;
  const waiter: Waiter = { owner, session, mode, limit, info, claimMs, until: now + claimMs };
  const place = indexOf(record.queue, owner);
  if (place < 0) record.queue.push(waiter);
  else record.queue[place] = waiter;
}

/** Whether `op` waits already as it asks to, and such a part of its claim is left. */
export function isWhole(record: LockRecord, op: Acquire, session: string, now: number, part = 0.9): boolean {
  const own = record.queue[indexOf(record.queue, op.owner)];
  if (own === undefined || own.session !== session || own.claimMs !== op.wait?.claimMs) return false;
  return own.until - now > part * own.claimMs && own.mode === op.mode && own.limit === op.limit && own.info === op.info;
}

/** How many waiters come before `owner`. */
export function aheadOf(record: LockRecord, owner: string): number {
  const place = indexOf(record.queue, owner);
  return place < 0 ? record.queue.length : place;
}

/** The hold of `owner` under `grant`: what a guard and an extension ask for. */
export function holdOf(record: LockRecord, owner: string, grant: number): Hold | undefined {
  const hold = record.holds[indexOf(record.holds, owner)];
  return hold?.grant === grant ? hold : undefined;
}

/** Arms a hold anew and raises its grant; the grant. */
export function extend(record: LockRecord, hold: Hold, now: number, ttl: number, raise: number | undefined): number {
  hold.until = now + ttl;
  if (raise !== undefined && raise > hold.grant) {
    hold.grant = raise;
    if (raise > record.grant) record.grant = raise;
  }
  return hold.grant;
}

/** Ends the owner's hold and place, and marks it if asked; whether it held. Call {@link handOff} after. */
export function release(record: LockRecord, owner: string, now: number, markMs: number | undefined): boolean {
  const place = indexOf(record.holds, owner);
  if (place >= 0) record.holds.splice(place, 1);
  leave(record, owner);
  if (markMs !== undefined) {
    const mark = record.marks[indexOf(record.marks, owner)];
    if (!mark) record.marks.push({ owner, until: now + markMs });
    else if (mark.until < now + markMs) mark.until = now + markMs;
  }
  return place >= 0;
}

/**
 * Ends every hold, or that of `owner`, and raises the grant above them; whether it did, which it does not to a lock
 * that nobody has touched and for an owner that does not hold it. Call {@link handOff} after.
 */
export function steal(record: LockRecord, owner: string | undefined, least: number): boolean {
  if (record.grant === 0) return false;
  if (owner === undefined) record.holds.length = 0;
  else if (!keep(record.holds, (hold) => hold.owner !== owner)) return false;
  nextGrant(record, least);
  return true;
}

/** Whom {@link handOff} granted the lock: a session to be told. */
export interface HandedOff {
  readonly owner: string;
  readonly session: string;
  readonly grant: number;
}

const nobody: readonly HandedOff[] = [];

/** Grants the lock to those at the head of the queue whom it fits, each for its claim; they are to be told. */
export function handOff(record: LockRecord, now: number, least: number): readonly HandedOff[] {
  const { holds, queue } = record;
  let granted: HandedOff[] | undefined;
  for (const head of queue) {
    if (!fits(holds, head.mode, head.limit)) break;
    const { owner, session, mode, info, claimMs } = head;
    const grant = nextGrant(record, least);
    holds.push({ owner, mode, grant, info, until: now + claimMs, session, pending: true });
    (granted ??= []).push({ owner, session, grant });
  }
  if (!granted) return nobody;
  queue.splice(0, granted.length);
  return granted;
}

/** Whether {@link handOff} would grant the lock to anybody. */
export function passes({ holds, queue }: LockRecord): boolean {
  const [head] = queue;
  return head !== undefined && fits(holds, head.mode, head.limit);
}

/** When a lock that somebody waits for may pass on by itself: the first hold's or the head's end; Infinity if never. */
export function nextTurn({ holds, queue }: LockRecord): number {
  let at = queue[0]?.until ?? Infinity;
  if (at < Infinity) for (const hold of holds) at = Math.min(at, hold.until);
  return at;
}

/**
 * Removes the places and the unconfirmed holds of every session that `gone` says has left; whether there was any. Call
 * {@link handOff} after.
 */
export function reapSessions(record: LockRecord, gone: (session: string) => boolean): boolean {
  const waited = keep(record.queue, (waiter) => !gone(waiter.session));
  const held = keep(record.holds, (hold) => !hold.pending || hold.session === undefined || !gone(hold.session));
  return waited || held;
}

/**
 * Removes every hold of sessions that are `over`, and their places ahead of the first live one, so that these stand in
 * nobody's way; whether there was any. Call {@link handOff} after.
 */
export function reapDead(record: LockRecord, over: (session: string) => boolean): boolean {
  const held = keep(record.holds, ({ session }) => session === undefined || !over(session));
  const live = record.queue.findIndex(({ session }) => !over(session));
  const ahead = live < 0 ? record.queue.length : live;
  record.queue.splice(0, ahead);
  return held || ahead > 0;
}

function keep<T>(list: T[], wanted: (one: T) => boolean): boolean {
  const kept = list.filter(wanted);
  if (kept.length === list.length) return false;
  list.splice(0, list.length, ...kept);
  return true;
}

/** Live holders and waiters. */
export function stateOf(record: LockRecord, now: number): LockState {
  const holders: Holding[] = record.holds.map(({ owner, mode, grant, info, until }) => ({
    owner,
    mode,
    grant,
    info,
    remainingMs: Math.ceil(until - now),
  }));
  return { holders, waiting: record.queue.length };
}

/** When the last hold, claim or mark of the record ends; 0 for a record of nothing but its grant. */
export function endOf(record: LockRecord): number {
  let end = 0;
  for (const hold of record.holds) if (hold.until > end) end = hold.until;
  for (const waiter of record.queue) if (waiter.until > end) end = waiter.until;
  for (const mark of record.marks) if (mark.until > end) end = mark.until;
  return end;
}

function fits(holds: readonly Hold[], mode: LockMode, limit: number | undefined): boolean {
  if (holds.length === 0) return limit === undefined || limit > 0;
  // Either all holds are shared or there is one exclusive hold, so the first one tells.
  return mode === "shared" && holds[0]?.mode === "shared" && (limit === undefined || holds.length < limit);
}

function nextGrant(record: LockRecord, least: number): number {
  return (record.grant = Math.max(record.grant + 1, least));
}

function leave(record: LockRecord, owner: string): void {
  const place = indexOf(record.queue, owner);
  if (place >= 0) record.queue.splice(place, 1);
}

function indexOf(list: readonly { readonly owner: string }[], owner: string): number {
  for (let i = 0; i < list.length; i++) if (list[i]?.owner === owner) return i;
  return -1;
}

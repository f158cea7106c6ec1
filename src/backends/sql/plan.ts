import { keyId, type Key } from "../../base/keys.ts";
import type { Group, Operation } from "../../port/index.ts";
import type { Task } from "../common/call.ts";
import type { Table } from "./dialect.ts";

/** Groups of a batch, by the way they go. */
export interface Ways {
  /** They only read: from one snapshot. */
  readonly reads: Task[];
  /** They write records whatever is there: in one statement. */
  readonly sets: Task[];
  /** They only extend and release leases: on connections of their own. */
  readonly renewals: Task[];
  /** All others: their rows are locked, and what becomes of them is decided here. */
  readonly decided: Task[];
}

export function waysOf(tasks: readonly Task[]): Ways {
  const ways: Ways = { reads: [], sets: [], renewals: [], decided: [] };
  for (const task of tasks) ways[wayOf(task.group)].push(task);
  if (ways.renewals.length === 0 || ways.decided.length === 0) return ways;
  // A lock that others of the batch are about is locked once for all of them: neither waits for the other.
  const locks = new Set(ways.decided.flatMap(({ group }) => lockIdsOf(group)));
  const together = ({ group }: Task): boolean => lockIdsOf(group).some((id) => locks.has(id));
  const decided = tasks.filter(
    (task) => ways.decided.includes(task) || (ways.renewals.includes(task) && together(task)),
  );
  return { ...ways, renewals: ways.renewals.filter((task) => !together(task)), decided };
}

function wayOf({ guards, ops }: Group): keyof Ways {
  if (guards?.length) return "decided";
  if (ops.every(({ op }) => op === "get" || op === "check")) return "reads";
  if (isBlind({ ops })) return "sets";
  if (ops.every(({ op }) => op === "extend" || op === "release")) return "renewals";
  return "decided";
}

/** Whether it writes records whatever is there. */
export function isBlind({ guards, ops }: Group): boolean {
  return !guards?.length && ops.every((op) => op.op === "set" && op.if === undefined && op.ttl !== "keep");
}

function lockIdsOf({ guards, ops }: Group): readonly string[] {
  const locks = ops.flatMap((op) => ("lock" in op ? [keyId(op.lock)] : []));
  return guards ? [...locks, ...guards.map(({ lock }) => keyId(lock))] : locks;
}

/** A row that groups are about. */
export interface Wanted {
  readonly key: Key;
  /** `write`: it may change. `read`: it must not change before the groups have taken effect. */
  mode: "write" | "read";
  /** Of a record: whether its value is looked at. */
  values: boolean;
}

/** The rows that groups are about, by `keyId`. */
export interface Plan extends Readonly<Record<Table, Map<string, Wanted>>> {
  /** Records whose stamps are looked at. */
  readonly stamped: Map<string, Key>;
}

export function planOf(groups: readonly Group[]): Plan {
  const plan: Plan = { records: new Map(), locks: new Map(), floors: new Map(), stamped: new Map() };
  for (const { guards, ops } of groups) {
    for (const { lock } of guards ?? []) want(plan.locks, lock, "read", false);
    for (const op of ops) addOperation(plan, op);
  }
  return plan;
}

function addOperation({ records, locks, floors, stamped }: Plan, op: Operation): void {
  switch (op.op) {
    case "get":
      want(records, op.key, "read", !op.keyOnly);
      if (op.stamped) stamped.set(keyId(op.key), op.key);
      return;
    case "check":
      return want(records, op.key, "read", true);
    case "touch":
      if (op.stamped) stamped.set(keyId(op.key), op.key);
      return want(records, op.key, "write", op.if !== undefined);
    case "set":
    case "delete":
      return want(records, op.key, "write", op.if !== undefined);
    case "floor":
      return want(floors, op.key, "write", false);
    default:
      return want(locks, op.lock, "write", false);
  }
}

function want(rows: Map<string, Wanted>, key: Key, mode: Wanted["mode"], values: boolean): void {
  const id = keyId(key);
  const known = rows.get(id);
  if (!known) rows.set(id, { key, mode, values });
  else {
    if (mode === "write") known.mode = mode;
    known.values ||= values;
  }
}

/** In the order of their bytes, in which everybody locks them. */
export function inOrder<T extends { readonly key: Key }>(rows: Iterable<T>): T[] {
  return [...rows].toSorted(({ key: one }, { key: other }) => {
    return one.space.id === other.space.id ? byBytes(one.key, other.key) : byBytes(one.space.id, other.space.id);
  });
}

/** Compares texts as their UTF-8 does. */
function byBytes(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let i = 0; i < length; i++) {
    const [a, b] = [one.charCodeAt(i), other.charCodeAt(i)];
    if (a !== b) return rank(a) - rank(b);
  }
  return one.length - other.length;
}

/** Characters of two units are behind all of one. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

import type { Key } from "../../base/keys.ts";
import type { Reply, Statement } from "./client.ts";
import type { Dialect, Table } from "./dialect.ts";
import { inOrder, type Plan, type Wanted } from "./plan.ts";
import { RowView } from "./row-view.ts";

/** Runs statements in a transaction, in order, in one round trip. */
export type Run = (statements: readonly Statement[]) => Promise<readonly Reply[]>;

/** The order in which everybody locks: locks first, for a record that a lease guards is read when that is held. */
const tables: readonly Table[] = ["locks", "records", "floors"];

export interface Locking {
  /** Rows that others have locked are left out: see {@link holdsAll}. */
  readonly skip: boolean;
  /** Locks that transactions of applications hold are not waited for: see {@link changesOf}. */
  readonly renews: boolean;
}

/**
 * Locks the rows of a plan and reads them, and the clock once they are held, in one round trip, or two where stamps
 * are apart.
 */
export async function lockRows(dialect: Dialect, plan: Plan, { skip, renews }: Locking, run: Run): Promise<RowView> {
  const view = new RowView(dialect);
  const steps: { readonly statement: Statement; take(reply: Reply): void }[] = [];
  const add = (statement: Statement, take: (reply: Reply) => void = () => undefined): void =>
    void steps.push({ statement, take });
  for (const table of tables) {
    const rows = inOrder(plan[table].values());
    if (rows.length === 0) continue;
    add(dialect.insertMissing(table, keysOf(rows)));
    for (const part of skip ? byKind(rows) : runsOf(rows)) {
      const { mode: wanted, values } = part[0] as Wanted;
      const mode = renews && table === "locks" && wanted === "write" ? "renew" : wanted;
      const statement = dialect.lock(table, keysOf(part), { mode, skip, values });
      if (table === "records") add(statement, (reply) => view.add("records", dialect.records(reply)));
      else if (table === "locks") add(statement, (reply) => view.add("locks", dialect.locks(reply)));
      else add(statement, (reply) => view.add("floors", dialect.floors(reply)));
    }
  }
  const stamped = inOrder([...plan.stamped.values()].map((key) => ({ key }))).map(({ key }) => key);
  if (stamped.length > 0 && dialect.stamps === "atomic") {
    add(dialect.get(stamped, { values: false, current: true }), (reply) =>
      view.addCurrent(plan.stamped.keys(), dialect.records(reply)),
    );
  }
  add(dialect.clock(), (reply) => view.setClock(dialect.time(reply)));
  const replies = await run(steps.map(({ statement }) => statement));
  for (const [i, { take }] of steps.entries()) take(replies[i] as Reply);
  if (dialect.stamps === "apart") await readStamps(dialect, view, plan, run);
  return view;
}

/** Reads the versions that the stamps of records are compared with, where the dialect does not compare them itself. */
export async function readStamps(dialect: Dialect, view: RowView, plan: Plan, run: Run): Promise<void> {
  const keys = stampKeysOf(view, plan.stamped.keys());
  if (keys.length === 0) return;
  const [reply] = await run([dialect.get(keys, { values: false, current: false })]);
  view.addStamps(dialect.records(reply as Reply));
}

/** Whether no row of a plan was left out. */
export function holdsAll(view: RowView, plan: Plan): boolean {
  return tables.every((table) => [...plan[table].keys()].every((id) => view.has(table, id)));
}

/**
 * What makes it so at the server; rows of the plan with nothing in them go. Where locks were locked to be renewed,
 * those that somebody is granted now are waited for until no transaction of an application holds them.
 */
export function changesOf(dialect: Dialect, view: RowView, plan: Plan, renews = false): readonly Statement[] {
  const { sets, ends, removed, locks, floors } = view.changes;
  const statements: Statement[] = [];
  const add = <T extends { readonly key: Key }>(rows: Iterable<T>, make: (rows: readonly T[]) => Statement): void => {
    const ordered = inOrder(rows);
    if (ordered.length > 0) statements.push(make(ordered));
  };
  const remove = (table: Table, keys: readonly Key[]): void =>
    add(
      keys.map((key) => ({ key })),
      (rows) => dialect.remove(table, keysOf(rows)),
    );
  const left = (table: Table, kept: ReadonlyMap<string, unknown>): Key[] => emptyOf(view, plan, table, kept);
  if (renews) {
    const how = { mode: "write", skip: false, values: false } as const;
    add(view.newlyHeld(), (rows) => dialect.lock("locks", keysOf(rows), how));
  }
  add(locks.values(), (rows) => dialect.setLocks(rows));
  remove("locks", left("locks", locks));
  remove("records", [...removed.values(), ...left("records", sets)]);
  add(sets.values(), (rows) => dialect.set(rows));
  add(ends.values(), (rows) => dialect.touch(rows));
  add(floors.values(), (rows) => dialect.setFloors(rows));
  remove("floors", left("floors", floors));
  return statements;
}

/** What removes rows of a plan with nothing in them, of which nothing came. */
export function leftoversOf(dialect: Dialect, view: RowView, plan: Plan): readonly Statement[] {
  return tables.flatMap((table) => {
    const keys = inOrder(emptyOf(view, plan, table).map((key) => ({ key })));
    return keys.length > 0 ? [dialect.remove(table, keysOf(keys))] : [];
  });
}

function emptyOf(view: RowView, plan: Plan, table: Table, kept?: ReadonlyMap<string, unknown>): Key[] {
  const empty = [...plan[table]].filter(([id]) => view.isEmpty(table, id) && !kept?.has(id));
  return empty.map(([, { key }]) => key);
}

function stampKeysOf(view: RowView, ids: Iterable<string>): readonly Key[] {
  const keys = new Map<string, { readonly key: Key }>();
  for (const id of ids) for (const key of view.stampsOf(id)) keys.set(key.space.id + key.key, { key });
  return keysOf(inOrder(keys.values()));
}

/** Rows of one kind each, where nobody waits, so that the order does not matter. */
function byKind(rows: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const kinds = new Map<string, Wanted[]>();
  for (const row of rows) {
    const kind = `${row.mode} ${row.values}`;
    const same = kinds.get(kind);
    if (same) same.push(row);
    else kinds.set(kind, [row]);
  }
  return [...kinds.values()];
}

/** Rows of one kind each, in their order. */
function runsOf(rows: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const runs: Wanted[][] = [];
  let last: Wanted | undefined;
  for (const row of rows) {
    if (last && last.mode === row.mode && last.values === row.values) runs.at(-1)?.push(row);
    else runs.push([row]);
    last = row;
  }
  return runs;
}

function keysOf(rows: readonly { readonly key: Key }[]): Key[] {
  return rows.map(({ key }) => key);
}

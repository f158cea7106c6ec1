import { keyId, spaceOfId, type Key } from "../../base/keys.ts";
import type { Group, ListedRecord, Outcome, Page, Query } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { nextTurn, passes } from "../common/lock-rules.ts";
import { checkLimit, cursorAfter, lastOf, listsLocks } from "../common/pages.ts";
import type { View, Written } from "../common/view.ts";
import { leaseNow } from "./clock.ts";
import type { StoredLock } from "./lock-table.ts";
import type { ReadableTables } from "./tables.ts";
import { TablesView } from "./tables-view.ts";

/** Whether a group only reads, so that it needs no commit. */
export function onlyReads(group: Group): boolean {
  for (const { op } of group.ops) if (op !== "get" && op !== "check" && op !== "inspect") return false;
  return true;
}

/** A snapshot, for groups that {@link onlyReads}. */
class ReadView extends TablesView<Key, ReadableTables> implements View<Key, Written, unknown, StoredLock> {
  #wall = 0;
  #now = 0;
  /** Whether a lock was found that must be passed on first, which is a write. */
  isStale = false;
  readonly put = refuseWrite;
  readonly touch = refuseWrite;
  readonly remove = refuseWrite;
  readonly raiseFloor = refuseWrite;
  readonly leastGrant = refuseWrite;

  /** A new snapshot. */
  begin(): void {
    this.isStale = false;
    this.#wall = 0;
    this.#now = 0;
  }

  get wall(): number {
    return this.#wall || (this.#wall = Date.now());
  }

  get now(): number {
    return this.#now || (this.#now = leaseNow());
  }

  saveLock(): void {
    this.isStale = true;
  }
}

function refuseWrite(): never {
  throw new Error("a group that only reads was about to write");
}

/** Reads in the calling thread, each group from one fresh snapshot, which holds up nobody and is soon over. */
export class Reads {
  readonly #backend: string;
  readonly #tables: ReadableTables;
  readonly #view: ReadView;

  constructor(backend: string, tables: ReadableTables, epoch: number) {
    this.#backend = backend;
    this.#tables = tables;
    this.#view = new ReadView(tables, epoch);
  }

  /** Runs a group that {@link onlyReads}; `undefined` when it finds a lock that must be passed on first. */
  group(group: Group): Outcome | undefined {
    return this.snapshot((view) => {
      const outcome = decide<Key, Written>(view, group, "");
      return view.isStale ? undefined : outcome;
    }, isSingle(group));
  }

  /** In how many ms the lock under that key id may pass on by itself; 0 for now, Infinity for never. */
  passesIn(id: string): number {
    const space = spaceOfId(id);
    if (!space) return Infinity;
    return this.snapshot((view) => {
      const lock = view.lock({ space, key: id.slice(space.id.length) });
      return passes(lock) ? 0 : nextTurn(lock) - view.now;
    }, true);
  }

  /** A page of a space, in the order of the keys' bytes. The cursor is the last key looked at. */
  page(query: Query): Page {
    checkLimit(query, this.#backend);
    const { space, prefix, limit } = query;
    const after = lastOf(query, this.#backend)?.slice(space.id.length);
    const isLocks = listsLocks(space);
    const range = { space: space.id, prefix, after, limit };
    return this.snapshot((view) => {
      const keys = view.tables.keys(isLocks ? "locks" : "records", range).map((key): Key => ({ space, key }));
      const listed = keys.map((key) => (isLocks ? lockOf(view, key) : recordOf(view, key, query)));
      const last = keys.length < limit ? undefined : keys.at(-1);
      const found = listed.filter((record) => record !== undefined);
      return { records: found, cursor: last === undefined ? undefined : cursorAfter(keyId(last)) };
    });
  }

  /** Reads from one fresh snapshot. Not to be nested, and nothing of the view is good afterwards. */
  snapshot<T>(read: (view: ReadView) => T, single = false): T {
    this.#tables.begin(single);
    try {
      this.#view.begin();
      return read(this.#view);
    } finally {
      this.#tables.end();
    }
  }
}

/** Whether a group asks for one thing only. */
function isSingle({ guards, ops }: Group): boolean {
  const [op] = ops;
  return ops.length === 1 && (guards === undefined || guards.length === 0) && !(op?.op === "get" && op.stamped);
}

function lockOf(view: ReadView, key: Key): ListedRecord | undefined {
  const { holds, queue } = view.lock(key);
  return holds.length + queue.length > 0 ? { key: key.key, id: "", value: "" } : undefined;
}

function recordOf(view: ReadView, key: Key, { keysOnly }: Query): ListedRecord | undefined {
  const found = view.find(key);
  return found === undefined ? undefined : view.show(key, found, { keyOnly: keysOnly, stamped: "show" });
}

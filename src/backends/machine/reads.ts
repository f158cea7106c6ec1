import { spaceOfId, type Key, type Space } from "../../base/keys.ts";
import type { Group, ListedRecord, Outcome, Page, Query } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { nextTurn, passes } from "../common/lock-rules.ts";
import { checkLimit, cursorAfter, lastOf, listsLocks } from "../common/pages.ts";
import type { View, Written } from "../common/view.ts";
import { leaseNow } from "./clock.ts";
import type { StoredLock } from "./lock-table.ts";
import type { KeyRange, Listed, ReadableTables } from "./tables.ts";
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

  /**
   * Runs a group that {@link onlyReads}; undefined when it finds a lock that must be passed on first, and while the
   * data cannot be read.
   */
  group(group: Group): Outcome | undefined {
    return this.#read((view) => {
      const outcome = decide<Key, Written>(view, group, "");
      return view.isStale ? undefined : outcome;
    }, isSingle(group));
  }

  /**
   * In how many ms the lock under that key id may pass on by itself; 0 for now, or while it cannot be read, Infinity
   * for never.
   */
  passesIn(id: string): number {
    const space = spaceOfId(id);
    if (!space) return Infinity;
    const ms = this.snapshot((view) => {
      const lock = view.lock({ space, key: id.slice(space.id.length) });
      return passes(lock) ? 0 : nextTurn(lock) - view.now;
    }, true);
    return ms ?? 0;
  }

  /**
   * A page of a space, in the order of the keys' bytes. The cursor is the last key looked at. Undefined while the data
   * cannot be read.
   */
  page(query: Query): Page | undefined {
    checkLimit(query, this.#backend);
    const { space, prefix, limit, keysOnly } = query;
    const after = lastOf(query, this.#backend)?.slice(space.id.length);
    const range = { space: space.id, prefix, after, limit };
    return this.#read((view): Page => {
      const { records, last } = listsLocks(space)
        ? listLocks(view, space, range)
        : view.tables.list(range, view.wall, !keysOnly);
      return { records, cursor: last === undefined ? undefined : cursorAfter(space.id + last) };
    });
  }

  /**
   * Reads from one fresh snapshot; undefined while the data cannot be read. It never throws, for it is asked from
   * timers and sockets: what is wrong is told to those who call. Not to be nested, and nothing of the view is good
   * afterwards.
   */
  snapshot<T>(read: (view: ReadView) => T, single = false): T | undefined {
    try {
      return this.#read(read, single);
    } catch {
      return undefined; // the callers of this process find the same
    }
  }

  #read<T>(read: (view: ReadView) => T, single = false): T | undefined {
    try {
      this.#tables.begin(single);
      try {
        this.#view.begin();
        return read(this.#view);
      } finally {
        this.#tables.end();
      }
    } catch (error) {
      if (this.#tables.isBusy(error)) return undefined;
      throw error;
    }
  }
}

/** Whether a group asks for one thing only. */
function isSingle({ guards, ops }: Group): boolean {
  const [op] = ops;
  return ops.length === 1 && (guards === undefined || guards.length === 0) && !(op?.op === "get" && op.stamped);
}

function listLocks(view: ReadView, space: Space, range: KeyRange): Listed {
  const keys = view.tables.lockKeys(range);
  const records = keys.flatMap((key): ListedRecord[] => {
    const { holds, queue } = view.lock({ space, key });
    return holds.length + queue.length > 0 ? [{ key, id: "", value: "" }] : [];
  });
  return { records, last: keys.length < range.limit ? undefined : keys.at(-1) };
}

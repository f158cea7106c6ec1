import { keyId, type Key } from "../../base/keys.ts";
import type { Group, ListedRecord, Outcome, Page, Query } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { nextTurn, passes } from "../common/lock-rules.ts";
import { checkLimit, cursorAfter, lastOf, listsLocks } from "../common/pages.ts";
import type { View, Written } from "../common/view.ts";
import { leaseNow } from "./clock.ts";
import { readLock, type StoredLock } from "./lock-table.ts";
import { TableView } from "./table-view.ts";
import type { Tables } from "./tables.ts";

/** Whether a group only reads, so that it needs no commit. */
export function onlyReads(group: Group): boolean {
  for (const { op } of group.ops) if (op !== "get" && op !== "check" && op !== "inspect") return false;
  return true;
}

/** A snapshot, for groups that {@link onlyReads}. */
class ReadView extends TableView<Key> implements View<Key, Written, Uint8Array, StoredLock> {
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

  protected place(key: Key): string {
    return keyId(key);
  }

  protected nameOf({ key }: Key): string {
    return key;
  }
}

function refuseWrite(): never {
  throw new Error("a group that only reads was about to write");
}

/**
 * Reads in the calling thread, each group from one fresh snapshot. A snapshot is reused until it is reset, and one that
 * stays open keeps the file from reusing space: so it is reset before and after.
 */
export class Reads {
  readonly #tables: Tables;
  readonly #view: ReadView;

  constructor(tables: Tables, epoch: number) {
    this.#tables = tables;
    this.#view = new ReadView(tables, epoch);
  }

  /** Runs a group that {@link onlyReads}; `undefined` when it finds a lock that must be passed on first. */
  group(group: Group): Outcome | undefined {
    return this.snapshot((view) => {
      const outcome = decide<Key, Written>(view, group, "");
      return view.isStale ? undefined : outcome;
    });
  }

  /** In how many ms the lock under that key id may pass on by itself; 0 for now, Infinity for never. */
  passesIn(id: string): number {
    return this.snapshot((view) => {
      const lock = readLock(view.tables.locks, id, view.epoch, view.now);
      return passes(lock) ? 0 : nextTurn(lock) - view.now;
    });
  }

  /** A page of a space, in the order of the keys' bytes. The cursor is the last key looked at. */
  page(query: Query): Page {
    const { locks, records } = this.#tables;
    checkLimit(query, "lmdb");
    const { space, prefix, limit } = query;
    const after = lastOf(query, "lmdb");
    const first = Buffer.from(space.id + prefix);
    // Behind a key come only longer ones: its bytes and a zero are where the next one may start.
    const start = after === undefined ? first : Buffer.from(`${after}\0`);
    const end = Buffer.concat([first, Buffer.from([255])]);
    const isLocks = listsLocks(space);
    return this.snapshot((view) => {
      const ids = Array.from((isLocks ? locks : records).getKeys({ start, end, limit }), (key) => key.toString());
      const keys = ids.map((id): Key => ({ space, key: id.slice(space.id.length) }));
      const listed = keys.map((key) => (isLocks ? lockOf(view, key) : recordOf(view, key, query)));
      const last = ids.length < limit ? undefined : ids.at(-1);
      const found = listed.filter((record) => record !== undefined);
      return { records: found, cursor: last === undefined ? undefined : cursorAfter(last) };
    });
  }

  /** Reads from one fresh snapshot. Not to be nested, and nothing of the view is good afterwards. */
  snapshot<T>(read: (view: ReadView) => T): T {
    const { root } = this.#tables;
    root.resetReadTxn();
    try {
      this.#view.begin();
      return read(this.#view);
    } finally {
      root.resetReadTxn();
    }
  }
}

function lockOf(view: ReadView, key: Key): ListedRecord | undefined {
  const { holds, queue } = view.lock(key);
  return holds.length + queue.length > 0 ? { key: key.key, id: "", value: "" } : undefined;
}

function recordOf(view: ReadView, key: Key, { keysOnly }: Query): ListedRecord | undefined {
  const found = view.find(key);
  return found && view.show(key, found, { keyOnly: keysOnly, stamped: "show" });
}

import { InvalidArgumentError, UnsupportedError } from "../../base/errors.ts";
import type { Kind } from "../../base/keys.ts";
import type { ListedRecord, Page, Query } from "../../port/index.ts";
import { stateOf, reap } from "../common/lock-rules.ts";
import { CellView } from "./cell-view.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Cell, Limit, Store } from "./store.ts";

/** Cells looked at for one page. */
const mostLooked = 1_000;
const lockKinds: ReadonlySet<Kind> = new Set(["lock", "shared", "once"]);

/** A page: keys in order from the store, and their cells. A cursor is the last key seen. */
export async function readPage(
  { store, name, clock, monotonic }: { store: Store; name: string; clock: StoreClock; monotonic: () => number },
  query: Query,
  limit: Limit,
): Promise<Page> {
  const { space, prefix, keysOnly, cursor } = query;
  if (!store.scan) throw new UnsupportedError(`${name} cannot list`, { backend: name });
  const most = keysOnly ? 10_000 : 1_000;
  if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > most) {
    throw new InvalidArgumentError(`limit must be an integer from 1 to ${most}, got ${query.limit}`, { backend: name });
  }
  const head = space.id + prefix;
  const after = cursor === undefined ? undefined : keyOfCursor(cursor, head, name);
  const wanted = Math.min(query.limit, mostLooked);
  const found = await store.scan({ prefix: head, after, most: wanted }, limit);
  const records: ListedRecord[] = [];
  const mostRead = Math.max(store.declares.mostRead ?? 256, 1);
  for (let at = 0; at < found.length; at += mostRead) {
    const keys = found.slice(at, at + mostRead);
    const asked = monotonic();
    const { cells, now } = await store.read(keys, limit);
    const read = new Map<string, Cell | undefined>();
    for (const [i, key] of keys.entries()) read.set(key, cells[i]);
    const view = new CellView(read, clock.read(now, asked));
    for (const cell of keys) {
      const key = { space, key: cell.slice(space.id.length) };
      const record = lockKinds.has(space.kind) ? lockOf(view, key) : recordOf(view, key, keysOnly);
      if (record) records.push(record);
    }
  }
  const last = found.at(-1);
  return found.length < wanted || last === undefined ? { records } : { records, cursor: cursorOf(last) };
}

function recordOf(
  view: CellView,
  key: { space: Query["space"]; key: string },
  keyOnly: boolean | undefined,
): ListedRecord | undefined {
  const found = view.find(key);
  return found && view.show(key, found, { stamped: "show", keyOnly });
}

function lockOf(view: CellView, key: { space: Query["space"]; key: string }): ListedRecord | undefined {
  const lock = view.lock(key);
  reap(lock, view.now);
  const { holders, waiting } = stateOf(lock, view.now);
  return holders.length + waiting > 0 ? { key: key.key, id: "", value: "" } : undefined;
}

const cursorOf = (key: string): string => `k${Buffer.from(key).toString("base64url")}`;

function keyOfCursor(cursor: string, head: string, backend: string): string {
  const key = /^k[\w-]+$/.test(cursor) ? Buffer.from(cursor.slice(1), "base64url").toString() : "";
  if (!key.startsWith(head) || cursorOf(key) !== cursor) {
    throw new InvalidArgumentError("cursor is not one that this backend gave", { backend });
  }
  return key;
}

import { UnsupportedError } from "../../base/errors.ts";
import type { Key } from "../../base/keys.ts";
import type { ListedRecord, Page, Query } from "../../port/index.ts";
import { reap } from "../common/lock-rules.ts";
import { checkLimit, cursorAfter, lastOf, listsLocks } from "../common/pages.ts";
import { CellView } from "./cell-view.ts";
import { mostReadOf } from "./promises.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Cell, Limit, Store } from "./store.ts";

/** Cells looked at for one page. */
const mostLooked = 1_000;

/** A page: keys in order from the store, and their cells. */
export async function readPage(
  { store, name, clock, monotonic }: { store: Store; name: string; clock: StoreClock; monotonic: () => number },
  query: Query,
  limit: Limit,
): Promise<Page> {
  const { space, prefix, keysOnly } = query;
  if (!store.scan) throw new UnsupportedError(`${name} cannot list`, { backend: name });
  checkLimit(query, name);
  const after = lastOf(query, name);
  const wanted = Math.min(query.limit, mostLooked);
  const found = await store.scan({ prefix: space.id + prefix, after, most: wanted }, limit);
  const records: ListedRecord[] = [];
  const mostRead = mostReadOf(store);
  for (let at = 0; at < found.length; at += mostRead) {
    const keys = found.slice(at, at + mostRead);
    const asked = monotonic();
    const { cells, now } = await store.read(keys, limit);
    const read = new Map<string, Cell | undefined>();
    for (const [i, key] of keys.entries()) {
      const cell = cells[i];
      if (cell instanceof Error) throw cell;
      read.set(key, cell);
    }
    const view = new CellView(read, clock.read(now, asked), clock.observed());
    for (const cell of keys) {
      const key = { space, key: cell.slice(space.id.length) };
      const record = listsLocks(space) ? lockOf(view, key) : recordOf(view, key, keysOnly);
      if (record) records.push(record);
    }
  }
  const last = found.at(-1);
  return found.length < wanted || last === undefined ? { records } : { records, cursor: cursorAfter(last) };
}

function recordOf(view: CellView, key: Key, keyOnly: boolean | undefined): ListedRecord | undefined {
  const found = view.find(key);
  return found && view.show(key, found, { stamped: "show", keyOnly });
}

function lockOf(view: CellView, key: Key): ListedRecord | undefined {
  const lock = view.lock(key);
  reap(lock, view.now);
  return lock.holds.length + lock.queue.length > 0 ? { key: key.key, id: "", value: "" } : undefined;
}

import { InvalidArgumentError } from "../../base/errors.ts";
import type { ListedRecord, Page, Query } from "../../port/index.ts";
import { checkLimit } from "../common/pages.ts";
import type { Placed, Rows } from "./table.ts";

/** Items looked at for one page, so that a rare prefix never holds up the event loop. */
const longestLook = 10_000;
/** Listings that go on where they stopped; an older one has to look for its place. */
const openListings = 32;

/**
 * Pages through the items of a space in the order in which they were made. A cursor names the last item seen and the
 * last one there was at the start, so a listing ends however many items are added meanwhile, and needs no memory here:
 * the iterators kept are only a short cut.
 */
export class Pages {
  readonly #open = new Map<string, Iterator<Placed>>();
  #serial = 0;

  /** `show` makes the record of an item, `undefined` for one that is not there. */
  read<Item extends Placed>(
    rows: Rows<Item> | undefined,
    query: Query,
    show: (item: Item) => ListedRecord | undefined,
  ): Page {
    checkLimit(query, "memory");
    const from = parse(query.cursor);
    if (rows === undefined) return { records: [] };
    const end = from?.end ?? rows.nextSeq - 1;
    const items = this.#resume(query.cursor, rows, from?.seen ?? 0);
    const records: ListedRecord[] = [];
    for (let looked = 1; ; looked++) {
      const next = items.next();
      if (next.done || next.value.seq > end) return { records };
      const item = next.value as Item;
      const record = item.key.startsWith(query.prefix) ? show(item) : undefined;
      if (record) records.push(record);
      if (records.length === query.limit || looked === longestLook) {
        return { records, cursor: this.#suspend(items, item.seq, end) };
      }
    }
  }

  #resume(cursor: string | undefined, rows: Rows<Placed>, seen: number): Iterator<Placed> {
    const open = cursor === undefined ? undefined : this.#open.get(cursor);
    if (open) {
      this.#open.delete(cursor as string);
      return open;
    }
    return after(rows, seen);
  }

  #suspend(items: Iterator<Placed>, seen: number, end: number): string {
    const cursor = `${seen}.${end}.${++this.#serial}`;
    this.#open.set(cursor, items);
    if (this.#open.size > openListings) this.#open.delete(this.#open.keys().next().value as string);
    return cursor;
  }
}

function* after(rows: Rows<Placed>, seen: number): Iterator<Placed> {
  for (const item of rows.items.values()) if (item.seq > seen) yield item;
}

function parse(cursor: string | undefined): { readonly seen: number; readonly end: number } | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\.(\d{1,15})\.\d+$/.exec(cursor);
  if (!match) throw new InvalidArgumentError("cursor is not one that this backend gave", { backend: "memory" });
  return { seen: Number(match[1]), end: Number(match[2]) };
}

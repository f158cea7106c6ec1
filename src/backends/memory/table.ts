import type { Key, Space } from "../../base/keys.ts";

/** What has a place in the order in which the items of a space were made. */
export interface Placed {
  readonly key: string;
  /** Rises with every item of the space. */
  readonly seq: number;
}

/** The items of one space. A `Map` iterates in the order of insertion, which is that of `seq`. */
export interface Rows<Item extends Placed> {
  readonly space: Space;
  readonly items: Map<string, Item>;
  nextSeq: number;
}

/** Items by space and key. */
export class Table<Item extends Placed> {
  readonly #spaces = new Map<string, Rows<Item>>();
  /** Those asked for last: most groups, and most calls in a row, are about one space. */
  #last: Rows<Item> | undefined;

  get({ space, key }: Key): Item | undefined {
    return this.peek(space)?.items.get(key);
  }

  /** The rows of a space, if there are any. */
  peek(space: Space): Rows<Item> | undefined {
    if (this.#last?.space === space) return this.#last;
    const rows = this.#spaces.get(space.id);
    if (rows) this.#last = rows;
    return rows;
  }

  /** The rows of a space, made if they are missing. */
  rows(space: Space): Rows<Item> {
    let rows = this.peek(space);
    if (!rows) this.#spaces.set(space.id, (rows = { space, items: new Map(), nextSeq: 1 }));
    return rows;
  }

  /** Every item. */
  *items(): IterableIterator<Item> {
    for (const { items } of this.#spaces.values()) yield* items.values();
  }

  /** Removes an item, and the space's rows with the last one. */
  remove(rows: Rows<Item>, key: string): void {
    rows.items.delete(key);
    if (rows.items.size > 0) return;
    this.#spaces.delete(rows.space.id);
    if (this.#last === rows) this.#last = undefined;
  }
}

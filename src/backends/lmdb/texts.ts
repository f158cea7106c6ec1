import { textOf } from "../machine/record.ts";
import type { Log, LogRow, Meta } from "../machine/tables.ts";
import type { LmdbKey, LmdbStore } from "./driver.ts";

/** No UTF-8 text holds the byte 255, so this behind a prefix is behind every key with it. */
export const pastText = Buffer.from([255]);

/** The text that is stored under a key. */
export function textUnder(store: LmdbStore, key: LmdbKey): string | undefined {
  const bytes = store.getBinaryFast(key);
  return bytes && textOf(bytes, store.lastSize);
}

export class LmdbMeta implements Meta {
  readonly #store: LmdbStore;

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  get(name: string): string | undefined {
    return textUnder(this.#store, name);
  }

  put(name: string, text: string): void {
    this.#store.put(name, Buffer.from(text));
  }

  remove(name: string): void {
    this.#store.remove(name);
  }

  suffixes(prefix: string, limit: number): string[] {
    const start = Buffer.from(prefix);
    const range = { start, end: Buffer.concat([start, pastText]), limit };
    return Array.from(this.#store.getKeys(range), (key) => key.toString("utf8", start.length));
  }
}

export class LmdbLog implements Log {
  readonly #store: LmdbStore;

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  put(at: number, text: string): void {
    this.#store.put(position(at), Buffer.from(text));
  }

  read(first: number, last: number, limit: number): readonly LogRow[] {
    const keys = [...this.#store.getKeys({ start: position(first), end: position(last + 1), limit })];
    return keys.flatMap((key) => {
      const text = textUnder(this.#store, key);
      return text === undefined ? [] : [{ at: key.readUIntBE(2, 6), text }];
    });
  }

  trim(first: number, limit: number): void {
    for (const key of [...this.#store.getKeys({ start: position(0), end: position(first), limit })]) {
      this.#store.remove(key);
    }
  }
}

function position(at: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntBE(at, 2, 6);
  return bytes;
}

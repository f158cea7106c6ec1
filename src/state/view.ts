import { keyId, type Key } from "../base/keys.ts";
import type { Condition, Operation, StoredRecord, Ttl } from "../port/index.ts";
import { Put } from "./put.ts";
import type { Encoded } from "./values.ts";

/** Knows when an entry that is written now expires. */
interface Expiry {
  expiry(ttl: Exclude<Ttl, "keep"> | undefined): number | undefined;
}

/** What a view knows of one key. */
class Seen {
  readonly key: Key;
  /** Whether the store was asked. The record that it had is then a condition of the write. */
  known = false;
  /** Whether it was read for the present tasks, and not left over from an earlier write. */
  fresh = false;
  /** The record in the store. */
  base: StoredRecord | undefined = undefined;
  /** The record as the tasks before have left it. */
  record: StoredRecord | undefined = undefined;
  written = false;
  /**
   * The record that is under way to the store; `undefined` if there is none. A task may meanwhile leave another record.
   */
  sent: { readonly record: StoredRecord | undefined } | undefined = undefined;
  ttl: Ttl | undefined = undefined;
  /** Whether the present tasks have used it. */
  used = false;

  constructor(key: Key) {
    this.key = key;
  }
}

/**
 * The records that the tasks of a round see: those of the store, with the changes of the tasks before. A task leaves a
 * record like any other for the next one, under a version that was never stored.
 */
export class View {
  readonly #seen = new Map<string, Seen>();
  /** Counts the changes. */
  revision = 0;
  /** Whether it holds a change that is not written. */
  dirty = false;
  /** How many keys were looked at or written. */
  used = 0;

  /** A read for the view under way. */
  reading: Promise<unknown> | undefined = undefined;

  /** The keys that it has a record of. */
  get keys(): readonly Key[] {
    return Array.from(this.#seen.values(), ({ key }) => key);
  }

  /** How many keys it has a record of. */
  get size(): number {
    return this.#seen.size;
  }

  /** Whether it knows the record that a task would see. */
  knows(key: Key): boolean {
    const seen = this.#seen.get(keyId(key));
    return seen !== undefined && (seen.known || seen.written);
  }

  /** The record of a key that the view knows. The record is a condition of the write from now on. */
  look(key: Key): StoredRecord | undefined {
    const seen = this.#at(key);
    this.#use(seen);
    return seen.record;
  }

  /** Waits for the record of a key and notes it. */
  async read(key: Key, record: Promise<StoredRecord | undefined>): Promise<void> {
    this.reading = record;
    try {
      this.found(key, await record);
    } finally {
      if (this.reading === record) this.reading = undefined;
    }
  }

  /** Notes the record in the store, unless it is known. */
  found(key: Key, record: StoredRecord | undefined): void {
    const seen = this.#at(key);
    if (seen.known) return;
    seen.known = seen.fresh = true;
    seen.base = record;
    if (!seen.written) seen.record = record;
  }

  /**
   * Leaves a record, or none, for the next tasks, and gives it. `"keep"` keeps what remains of the ttl. A record with
   * the version that is in the store is that record with another end.
   */
  put(store: Expiry, key: Key, encoded: Encoded | null, ttl: Ttl | undefined): StoredRecord | undefined {
    const seen = this.#at(key);
    const { record } = seen;
    if (!seen.written || ttl !== "keep") seen.ttl = ttl;
    seen.record = encoded
      ? {
          key: key.key,
          id: encoded.id,
          value: encoded.payload,
          expiresAt: ttl === "keep" ? record?.expiresAt : store.expiry(ttl),
        }
      : undefined;
    seen.written = this.dirty = true;
    this.#use(seen);
    this.revision++;
    return seen.record;
  }

  /** Whether at most one record was used, unchanged since it was read: there is nothing to compare it with. */
  get plain(): boolean {
    if (this.dirty || this.used > 1) return false;
    if (this.used === 1) for (const seen of this.#seen.values()) if (seen.used) return seen.fresh;
    return true;
  }

  /**
   * The operations that check and write, and the keys that a lease must cover: the written ones, or the read ones if
   * none is written.
   */
  operations(): { readonly ops: readonly Operation[]; readonly covered: readonly Key[] } {
    const ops: Operation[] = [];
    const read: Key[] = [];
    const written: Key[] = [];
    for (const one of this.#seen.values()) {
      const { key, known, base, record, ttl, written: changed, used } = one;
      if (!used) continue;
      if (changed) one.sent = { record };
      const seen: Condition | undefined = known ? (base ? { id: base.id } : { absent: true }) : undefined;
      (changed ? written : read).push(key);
      if (changed && record && record.id === base?.id && ttl !== "keep") ops.push({ op: "touch", key, if: seen, ttl });
      else if (changed && record) ops.push(new Put(key, record.id, record.value, seen, ttl));
      else if (changed && (base || !known)) ops.push({ op: "delete", key, if: seen });
      else if (seen) ops.push({ op: "check", key, if: seen });
    }
    return { ops, covered: written.length > 0 ? written : read };
  }

  /**
   * The operations of {@link operations} were written: the next tasks begin with that. With `looking`, a task still
   * uses the view: the records that it used stay conditions, and changes since then are still to be written.
   */
  wrote(looking: boolean): void {
    this.dirty = false;
    for (const seen of this.#seen.values()) {
      const { sent } = seen;
      if (sent) {
        seen.known = true;
        seen.base = sent.record;
        seen.written = seen.record !== sent.record;
        seen.sent = undefined;
      }
      seen.fresh = false;
      this.dirty ||= seen.written;
      if (!looking) seen.used = false;
    }
    if (!looking) this.used = 0;
  }

  /** Nothing was written: the next tasks begin with the records in the store. */
  undo(): void {
    for (const seen of this.#seen.values()) {
      seen.record = seen.base;
      seen.written = seen.used = seen.fresh = false;
      seen.sent = undefined;
    }
    this.dirty = false;
    this.used = 0;
  }

  /** The store has another record than the view knew. */
  changed(key: Key, record: StoredRecord | undefined): void {
    this.undo();
    const seen = this.#at(key);
    seen.known = true;
    seen.base = seen.record = record;
  }

  #use(seen: Seen): void {
    if (seen.used) return;
    seen.used = true;
    this.used++;
  }

  #at(key: Key): Seen {
    const id = keyId(key);
    let seen = this.#seen.get(id);
    if (!seen) this.#seen.set(id, (seen = new Seen(key)));
    return seen;
  }
}

import { keyId, type Key } from "../base/keys.ts";
import type { Condition, Operation, StoredRecord, Ttl } from "../port/index.ts";
import { Put } from "./put.ts";
import type { Encoded } from "./values.ts";

/** What knows when something written now expires. */
interface Expiry {
  expiry(ttl: Exclude<Ttl, "keep"> | undefined): number | undefined;
}

/** What is known of one key. */
class Seen {
  readonly key: Key;
  /** Whether the store was asked: what it had is then a condition of the write. */
  known = false;
  /** Whether that was asked for those who look now, and not left over from a write before. */
  fresh = false;
  /** The record as the store has it. */
  base: StoredRecord | undefined = undefined;
  /** The record as those before have left it. */
  record: StoredRecord | undefined = undefined;
  written = false;
  /**
   * What is on its way to the store; `undefined` where nothing is. One who looks meanwhile may leave something else
   * already.
   */
  sent: { readonly record: StoredRecord | undefined } | undefined = undefined;
  ttl: Ttl | undefined = undefined;
  /** Whether those who look now have looked at it. */
  used = false;

  constructor(key: Key) {
    this.key = key;
  }
}

/**
 * What those see whose work is written together: the records as the store has them, and as the ones before have left
 * them. What one leaves for the next is a record like any other, under a version that nothing was ever stored under.
 */
export class View {
  readonly #seen = new Map<string, Seen>();
  /** Counts what was put in. */
  revision = 0;
  /** Whether it holds something that is not written. */
  dirty = false;
  /** How many keys were looked at or written. */
  used = 0;

  /** What is being read for it. */
  reading: Promise<unknown> | undefined = undefined;

  /** The keys that it has a record of. */
  get keys(): readonly Key[] {
    return Array.from(this.#seen.values(), ({ key }) => key);
  }

  /** How many keys it has a record of. */
  get size(): number {
    return this.#seen.size;
  }

  /** Whether it knows what becomes of a key. */
  knows(key: Key): boolean {
    const seen = this.#seen.get(keyId(key));
    return seen !== undefined && (seen.known || seen.written);
  }

  /** The record of a key that it knows, from now on a condition of the write. */
  look(key: Key): StoredRecord | undefined {
    const seen = this.#at(key);
    this.#use(seen);
    return seen.record;
  }

  /** Takes what the store will be found to have. */
  async read(key: Key, record: Promise<StoredRecord | undefined>): Promise<void> {
    this.reading = record;
    try {
      this.found(key, await record);
    } finally {
      if (this.reading === record) this.reading = undefined;
    }
  }

  /** Takes what the store has, unless that is known. */
  found(key: Key, record: StoredRecord | undefined): void {
    const seen = this.#at(key);
    if (seen.known) return;
    seen.known = seen.fresh = true;
    seen.base = record;
    if (!seen.written) seen.record = record;
  }

  /**
   * Leaves a record, or none, and gives it; `"keep"` keeps what remains of the ttl. One of the version that the store
   * has is that record with another end.
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

  /** Whether what was seen is one record at most, as it was when it was read: there is nothing to compare it with. */
  get plain(): boolean {
    if (this.dirty || this.used > 1) return false;
    if (this.used === 1) for (const seen of this.#seen.values()) if (seen.used) return seen.fresh;
    return true;
  }

  /**
   * What is to be checked and written, and the keys that a lease must cover: those written, or where there are none
   * those read.
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
   * What {@link operations} gave was written: the next ones begin with it. With `looking`, somebody still looks: what
   * was looked at stays a condition, and what was put in since is still to be written.
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

  /** Nothing was written: the next ones begin with what the store has. */
  undo(): void {
    for (const seen of this.#seen.values()) {
      seen.record = seen.base;
      seen.written = seen.used = seen.fresh = false;
      seen.sent = undefined;
    }
    this.dirty = false;
    this.used = 0;
  }

  /** The store has something else. */
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

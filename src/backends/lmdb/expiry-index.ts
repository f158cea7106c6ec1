import type { LmdbStore } from "./driver.ts";

/** What an entry of the expiry index is about. */
export type Indexed = "record" | "lock" | "floor";

const letters: Readonly<Record<Indexed, number>> = { record: 0x72, lock: 0x6c, floor: 0x66 };
const present = new Uint8Array([1]);
/** Six bytes of milliseconds reach beyond every duration allowed. */
const timeBytes = 6;
const latest = 2 ** 48 - 1;

/**
 * The moment under which a record that lives for `ttl` is indexed: rounded up to a step of a sixteenth to an eighth
 * of the ttl. So a record written again and again has few entries, and none needs to be found and removed when it is
 * overwritten.
 */
export function sweepMoment(expiresAt: number, ttl: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(ttl, 1))) - 3);
  return Math.min(Math.ceil(expiresAt / step) * step, latest);
}

function indexKey(at: number, kind: Indexed, key: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(timeBytes + 1 + key.length);
  bytes.writeUIntBE(Math.min(Math.max(Math.ceil(at), 0), latest), 0, timeBytes);
  bytes[timeBytes] = letters[kind];
  bytes.set(key, timeBytes + 1);
  return bytes;
}

/** Has `key` looked at when the wall clock reaches `at`. */
export function index(expiry: LmdbStore, at: number, kind: Indexed, key: Uint8Array): void {
  expiry.put(indexKey(at, kind, key), present);
}

export interface IndexEntry {
  readonly raw: Buffer;
  readonly at: number;
  readonly kind: Indexed;
  readonly key: Buffer;
}

/** At most `limit` entries that are due at `now`, the earliest first. */
export function due(expiry: LmdbStore, now: number, limit: number): IndexEntry[] {
  const end = Buffer.alloc(timeBytes);
  end.writeUIntBE(Math.min(Math.floor(now) + 1, latest), 0, timeBytes);
  const entries: IndexEntry[] = [];
  for (const raw of expiry.getKeys({ start: new Uint8Array([0]), end, limit })) {
    const letter = raw[timeBytes];
    const kind = letter === letters.record ? "record" : letter === letters.lock ? "lock" : "floor";
    entries.push({ raw, at: raw.readUIntBE(0, timeBytes), kind, key: raw.subarray(timeBytes + 1) });
  }
  return entries;
}

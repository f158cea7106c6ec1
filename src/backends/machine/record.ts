import { utf8Length } from "../../base/keys.ts";
import type { Payload, Stamp, StoredRecord } from "../../port/index.ts";

/*
 * A record: flags (1 byte), length of the id (1), when it expires (8, a double, only with the flag), length of the
 * stamps (4, only with the flag), id, stamps, payload. A stamp: length of its key (2), key, length of its id (1), id.
 */
const typeMask = 3;
const ascii = 0;
const utf8 = 1;
const utf16 = 2;
const binary = 3;
const hasExpiry = 4;
const hasStamps = 8;
const wideId = 16;

/** Where a record's expiry is, so that the commit can set it. 0 means never. */
const expiryAt = 2;

const { latin1Slice, utf8Slice, ucs2Slice } = Buffer.prototype as unknown as Record<
  "latin1Slice" | "utf8Slice" | "ucs2Slice",
  (this: Uint8Array, start: number, end: number) => string
>;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** Most bytes that {@link writeRecord} needs. */
export function recordBytes(id: string, value: Payload, stamps: readonly Stamp[] | undefined): number {
  let bytes = 14 + id.length * 3;
  if (typeof value !== "string") bytes += value.length;
  else bytes += value.length < 4_096 ? value.length * 3 : Math.max(Buffer.byteLength(value), value.length * 2);
  if (stamps)
    for (const { key, id: stamp } of stamps) bytes += 3 + (key.space.id.length + key.key.length + stamp.length) * 3;
  return bytes;
}

/** Writes a record into `target` at `at`; where it ends. With `expires` there is room for when. */
export function writeRecord(
  target: Buffer,
  at: number,
  id: string,
  value: Payload,
  stamps: readonly Stamp[] | undefined,
  expires: boolean,
): number {
  let flags = 0;
  let end = at + 2;
  if (expires) {
    flags |= hasExpiry;
    target.fill(0, end, end + 8);
    end += 8;
  }
  const stampsAt = end;
  if (stamps && stamps.length > 0) {
    flags |= hasStamps;
    end += 4;
  }
  const idLength = target.write(id, end);
  target[at + 1] = idLength;
  if (idLength !== id.length) flags |= wideId;
  end += idLength;
  if (flags & hasStamps) {
    const start = end;
    for (const stamp of stamps ?? []) {
      const keyLength = target.write(stamp.key.space.id + stamp.key.key, end + 2);
      target.writeUInt16LE(keyLength, end);
      end += 2 + keyLength;
      const stampLength = target.write(stamp.id, end + 1);
      target[end] = stampLength;
      end += 1 + stampLength;
    }
    target.writeUInt32LE(end - start, stampsAt);
  }
  if (typeof value !== "string") {
    target.set(value, end);
    target[at] = flags | binary;
    return end + value.length;
  }
  const written = target.write(value, end);
  if (written === value.length) target[at] = flags | ascii;
  else if (utf8Length(value) >= 0) target[at] = flags | utf8;
  else {
    // UTF-8 would replace a lone surrogate, and what comes back must be what was saved.
    target[at] = flags | utf16;
    return end + target.write(value, end, "utf16le");
  }
  return end + written;
}

/** Sets when a record written with room for it expires; 0 for never. */
export function setExpiry(record: Buffer, expiresAt: number): void {
  record.writeDoubleLE(expiresAt, expiryAt);
}

/** A copy of the record that is the first `size` of `bytes`, with another end; 0 for never. */
export function withExpiry(bytes: Uint8Array, size: number, expiresAt: number): Buffer {
  const flags = bytes[0] as number;
  const room = flags & hasExpiry ? 0 : 8;
  const record = Buffer.allocUnsafe(size + room);
  record.set(bytes.subarray(0, 2));
  record.set(bytes.subarray(2, size), 2 + room);
  record[0] = flags | hasExpiry;
  setExpiry(record, expiresAt);
  return record;
}

/** When a record expires, or 0. */
export function expiryOf(bytes: Uint8Array): number {
  if (!((bytes[0] as number) & hasExpiry)) return 0;
  for (let i = 0; i < 8; i++) doubleBytes[i] = bytes[expiryAt + i] as number;
  return double[0] as number;
}

/** Whether a record is expired at `now` (wall time, ms). */
export function isExpired(bytes: Uint8Array, now: number): boolean {
  if (!((bytes[0] as number) & hasExpiry)) return false;
  const expiresAt = expiryOf(bytes);
  return expiresAt !== 0 && expiresAt <= now;
}

/** The id of a record. */
export function idOf(bytes: Uint8Array): string {
  const flags = bytes[0] as number;
  const at = 2 + (flags & hasExpiry ? 8 : 0) + (flags & hasStamps ? 4 : 0);
  const end = at + (bytes[1] as number);
  return flags & wideId ? utf8Slice.call(bytes, at, end) : latin1Slice.call(bytes, at, end);
}

/** What a record is made of. */
export interface RecordParts {
  readonly id: string;
  readonly kind: "text" | "utf16" | "bytes";
  /** Of the record's own bytes. */
  readonly payload: Uint8Array;
  readonly stamps: readonly RecordStamp[];
}

/** A stamp: the key id of a record, and its version. */
export interface RecordStamp {
  readonly key: string;
  readonly id: string;
}

/** Takes a record apart that is all of `bytes`. */
export function partsOf(bytes: Uint8Array): RecordParts {
  const flags = bytes[0] as number;
  const head = 2 + (flags & hasExpiry ? 8 : 0);
  const skipped = flags & hasStamps ? 4 + uint32(bytes, head) : 0;
  const type = flags & typeMask;
  return {
    id: idOf(bytes),
    kind: type === binary ? "bytes" : type === utf16 ? "utf16" : "text",
    payload: bytes.subarray(head + skipped + (bytes[1] as number)),
    stamps: stampsOf(bytes),
  };
}

/** The record under `key` whose bytes are the first `size` of `bytes`; with `keyOnly`, without its value. */
export function readRecord(key: string, bytes: Uint8Array, size: number, keyOnly?: boolean): StoredRecord {
  const flags = bytes[0] as number;
  let at = 2;
  let expiresAt = 0;
  if (flags & hasExpiry) {
    expiresAt = expiryOf(bytes);
    at += 8;
  }
  let skipped = 0;
  if (flags & hasStamps) {
    skipped = uint32(bytes, at);
    at += 4;
  }
  const idEnd = at + (bytes[1] as number);
  const id = flags & wideId ? utf8Slice.call(bytes, at, idEnd) : latin1Slice.call(bytes, at, idEnd);
  const value = keyOnly ? "" : readPayload(bytes, flags & typeMask, idEnd + skipped, size);
  return expiresAt === 0 ? { key, id, value } : { key, id, value, expiresAt };
}

function readPayload(bytes: Uint8Array, type: number, at: number, size: number): Payload {
  if (type === ascii) return latin1Slice.call(bytes, at, size);
  if (type === utf8) return utf8Slice.call(bytes, at, size);
  if (type === utf16) return ucs2Slice.call(bytes, at, size);
  // A copy, and a plain one whatever the view is.
  return new Uint8Array(bytes.subarray(at, size));
}

/** The stamps of a record: key ids and the ids they must have. */
export function stampsOf(bytes: Uint8Array): readonly { readonly key: string; readonly id: string }[] {
  const flags = bytes[0] as number;
  if (!(flags & hasStamps)) return [];
  const at = flags & hasExpiry ? 10 : 2;
  let next = at + 4 + (bytes[1] as number);
  const end = next + uint32(bytes, at);
  const stamps: { key: string; id: string }[] = [];
  while (next < end) {
    const keyEnd = next + 2 + (bytes[next] as number) + (bytes[next + 1] as number) * 256;
    const idEnd = keyEnd + 1 + (bytes[keyEnd] as number);
    stamps.push({ key: utf8Slice.call(bytes, next + 2, keyEnd), id: utf8Slice.call(bytes, keyEnd + 1, idEnd) });
    next = idEnd;
  }
  return stamps;
}

/** The text that is the first `size` of `bytes`. */
export function textOf(bytes: Uint8Array, size: number): string {
  return utf8Slice.call(bytes, 0, size);
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) +
    (bytes[at + 1] as number) * 2 ** 8 +
    (bytes[at + 2] as number) * 2 ** 16 +
    (bytes[at + 3] as number) * 2 ** 24
  );
}

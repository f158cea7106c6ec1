import { keyId } from "../../base/keys.ts";
import type { ListedRecord, Payload, Stamp, StoredRecord } from "../../port/index.ts";
import type { Layout } from "./layout.ts";

/*
 * A record: one character of flags, one that is 32 more than the length of the id, the id, the moment it ends (13
 * digits, with the flag), stamps (with the flag), payload. A stamp: four digits of its key's length, its physical key,
 * the length of its id as above, id; before all of them six digits of their length. Lengths are in bytes. The letters
 * of `lua/records.ts` read it too.
 */
const base = 64;
const isBytes = 1;
/** A text that UTF-8 would change, for it holds a lone surrogate. */
const isUtf16 = 2;
const hasEnd = 4;
const hasStamps = 8;

const { latin1Slice, utf8Slice } = Buffer.prototype as unknown as Record<
  "latin1Slice" | "utf8Slice",
  (this: Uint8Array, start: number, end: number) => string
>;

/** A record in two parts: the script puts the moment it ends between the two, where it does. */
export interface Encoded {
  readonly head: string;
  readonly tail: string | Buffer;
}

/** A record without end and stamps whose value is text: the shape that most have. */
export function encodeText(id: string, value: string): string {
  return `@${String.fromCharCode(32 + Buffer.byteLength(id))}${id}${value}`;
}

/** Whether {@link encodeText} is enough. */
export function isPlainText(value: Payload): value is string {
  return typeof value === "string" && value.isWellFormed();
}

export function encodeRecord(
  id: string,
  value: Payload,
  stamps: readonly Stamp[] | undefined,
  layout: Layout,
  ends: boolean,
): Encoded {
  let flags = ends ? base | hasEnd : base;
  let marks = "";
  if (stamps !== undefined && stamps.length > 0) {
    flags |= hasStamps;
    for (const stamp of stamps) {
      const name = layout.name(stamp.key);
      marks += `${String(Buffer.byteLength(name)).padStart(4, "0")}${name}${sized(stamp.id)}`;
    }
    marks = String(Buffer.byteLength(marks)).padStart(6, "0") + marks;
  }
  let tail: string | Buffer;
  if (isPlainText(value)) tail = marks + value;
  else {
    flags |= typeof value === "string" ? isUtf16 : isBytes;
    // A copy: what the caller does to its bytes once this was called is not sent.
    tail = Buffer.concat([Buffer.from(marks), typeof value === "string" ? Buffer.from(value, "utf16le") : value]);
  }
  return { head: String.fromCharCode(flags) + sized(id), tail };
}

function sized(id: string): string {
  return String.fromCharCode(32 + Buffer.byteLength(id)) + id;
}

/** Joins what {@link encodeRecord} made, for a command that takes it whole. */
export function joined({ head, tail }: Encoded): string | Buffer {
  return typeof tail === "string" ? head + tail : Buffer.concat([Buffer.from(head), tail]);
}

/**
 * The record under `key`; undefined for bytes that are none. Of `keyOnly` the value is "": the bytes may end before it.
 */
export function decodeRecord(key: string, bytes: Buffer, keyOnly = false): StoredRecord | undefined {
  const flags = (bytes[0] ?? 0) - base;
  const size = (bytes[1] ?? 0) - 32;
  let at = 2 + size;
  if (flags < 0 || flags > 15 || size < 0 || at > bytes.length) return undefined;
  const id = utf8Slice.call(bytes, 2, at);
  if (flags === 0) return { key, id, value: keyOnly ? "" : utf8Slice.call(bytes, at, bytes.length) };
  let expiresAt: number | undefined;
  if (at + (flags & hasEnd ? 13 : 0) + (flags & hasStamps ? 6 : 0) > bytes.length) return undefined;
  if (flags & hasEnd) {
    expiresAt = Number(latin1Slice.call(bytes, at, at + 13));
    at += 13;
  }
  if (flags & hasStamps) at += 6 + Number(latin1Slice.call(bytes, at, at + 6));
  if (!(at <= bytes.length) || Number.isNaN(expiresAt)) return undefined;
  const value = keyOnly ? "" : valueOf(flags, bytes, at);
  return expiresAt === undefined ? { key, id, value } : { key, id, value, expiresAt };
}

function valueOf(flags: number, bytes: Buffer, at: number): Payload {
  return flags & isBytes
    ? new Uint8Array(bytes.subarray(at))
    : bytes.toString(flags & isUtf16 ? "utf16le" : "utf8", at);
}

/** A record that {@link decodeRecord} has read, with its stamps if it has any. */
export function withStamps(record: StoredRecord, bytes: Buffer, layout: Layout): ListedRecord {
  const stamps = stampsOf(bytes).map(({ name, id }) => {
    const key = layout.parse(name);
    return { key: key ? keyId(key) : name, id };
  });
  return stamps.length > 0 ? { ...record, stamps } : record;
}

/** A stamp that a record names: its physical key, and the id that must be there. */
export interface NamedStamp {
  readonly name: string;
  readonly id: string;
}

/** The stamps of a record that {@link decodeRecord} has read. */
export function stampsOf(bytes: Buffer): readonly NamedStamp[] {
  const flags = (bytes[0] as number) - base;
  if (!(flags & hasStamps)) return [];
  let at = 2 + (bytes[1] as number) - 32 + (flags & hasEnd ? 13 : 0);
  const end = at + 6 + Number(latin1Slice.call(bytes, at, at + 6));
  at += 6;
  const stamps: NamedStamp[] = [];
  while (at < end) {
    const nameEnd = at + 4 + Number(latin1Slice.call(bytes, at, at + 4));
    const idEnd = nameEnd + 1 + (bytes[nameEnd] as number) - 32;
    stamps.push({ name: utf8Slice.call(bytes, at + 4, nameEnd), id: utf8Slice.call(bytes, nameEnd + 1, idEnd) });
    at = idEnd;
  }
  return stamps;
}

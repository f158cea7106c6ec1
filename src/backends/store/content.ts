import { randomBytes } from "node:crypto";
import type { Payload } from "../../port/index.ts";
import { packLock, unpackLock, type PackedLock } from "../common/lock-codec.ts";
import type { LockRecord } from "../common/lock-rules.ts";

/*
 * What is in a cell, by its `keyId`:
 *
 *   stamp: 16 ASCII bytes, those of this write alone
 *   "1": the version of this layout
 *   head: JSON in UTF-8, without a line feed
 *   "\n"
 *   value: bytes, or text in UTF-8
 *
 * The head of a record: [id, end, is text, floor, stamps]. The end is 0 for never, the floor [grant, n, end] or 0,
 * the stamps [[key id, id], ...] or 0. A cell whose record has gone and whose floor is still kept has the id `null`.
 *
 * The head of a lock: see `PackedLock`, and `observed-locks` where the server has no clock.
 *
 * Times are in ms since 1970.
 */

/** A record with the fence floor beside it, which outlives it. */
export interface Row {
  record: StoredRow | undefined;
  floor: Floor | undefined;
}

export interface StoredRow {
  readonly id: string;
  readonly value: Payload;
  /** Infinity for never. */
  until: number;
  /** By `keyId` of their keys. */
  readonly stamps: readonly (readonly [key: string, id: string])[] | undefined;
}

export interface Floor {
  readonly grant: number;
  readonly n: number;
  readonly until: number;
}

const stampBytes = 16;
const version = 0x31;
const newline = 10;

const prefix = randomBytes(8).toString("base64url").slice(0, 10); // 60 bits that no other process draws
let counter = 0;
const drawStamp = (): string => prefix + (counter++).toString(36).padStart(6, "0");

/** The stamp of a content: equal for one write only. */
export function stampOf(content: Uint8Array): string {
  return bufferOf(content).toString("latin1", 0, stampBytes);
}

export function encodeRow({ record, floor }: Row): Uint8Array {
  const kept = floor ? [floor.grant, floor.n, floor.until] : 0;
  if (!record) return encode(JSON.stringify([null, 0, 0, kept, 0]), "");
  const { id, value, until, stamps } = record;
  const text = typeof value === "string";
  return encode(JSON.stringify([id, until === Infinity ? 0 : until, text ? 1 : 0, kept, stamps ?? 0]), value);
}

export function decodeRow(content: Uint8Array): Row {
  const { head, rest } = decode(content);
  const [id, end, text, kept, stamps] = head as [
    string | null,
    number,
    0 | 1,
    [number, number, number] | 0,
    [string, string][] | 0,
  ];
  const floor = kept === 0 ? undefined : { grant: kept[0], n: kept[1], until: kept[2] };
  if (id === null) return { record: undefined, floor };
  const value = text ? rest.toString("utf8") : new Uint8Array(rest);
  return { record: { id, value, until: end === 0 ? Infinity : end, stamps: stamps === 0 ? undefined : stamps }, floor };
}

export function encodeLock(lock: LockRecord): Uint8Array {
  return encode(JSON.stringify(packLock(lock)), "");
}

export function decodeLock(content: Uint8Array): LockRecord {
  return unpackLock(decode(content).head as PackedLock);
}

/** A message that goes through a cell. */
export function contentOf(text: string): Uint8Array {
  return encode("0", text);
}

export function textOf(content: Uint8Array): string {
  return decode(content).rest.toString("utf8");
}

/** What is in a cell, of a stamp of its own. */
export function encode(head: string, value: Payload): Uint8Array {
  const text = typeof value === "string";
  const headBytes = Buffer.byteLength(head);
  const valueBytes = text ? Buffer.byteLength(value) : value.byteLength;
  // Not of the pool, which a cell that is kept would keep whole.
  const content = Buffer.allocUnsafeSlow(stampBytes + 1 + headBytes + 1 + valueBytes);
  content.write(drawStamp(), 0, "latin1");
  content[stampBytes] = version;
  let at = stampBytes + 1;
  at += content.write(head, at);
  content[at++] = newline;
  if (text) content.write(value, at);
  else content.set(value, at);
  return content;
}

/** Throws a SyntaxError or RangeError for what is no content of ours. */
export function decode(content: Uint8Array): { readonly head: unknown; readonly rest: Buffer } {
  const bytes = bufferOf(content);
  const end = bytes.indexOf(newline, stampBytes);
  if (bytes[stampBytes] !== version || end < 0) throw new RangeError("no content of this version");
  return { head: JSON.parse(bytes.toString("utf8", stampBytes + 1, end)), rest: bytes.subarray(end + 1) };
}

function bufferOf(content: Uint8Array): Buffer {
  return Buffer.isBuffer(content) ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}

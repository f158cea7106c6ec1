import { CorruptValueError } from "../base/errors.ts";
import { ESCAPE_PREFIX, setOwn, Tag, TAG_PREFIX } from "./tags.ts";

/** Deeper than anything that `pack` makes: it adds at most one level for each of a value's. */
const DEEPEST = 2100;

/**
 * Turns what `JSON.parse` returned back into the value that was packed; changes `node` in place.
 *
 * @throws CorruptValueError if a tag is unknown or its content is not what `pack` writes.
 */
export function unpack(node: unknown, depth = 0): unknown {
  if (typeof node !== "object" || node === null) return node;
  if (depth > DEEPEST) throw new CorruptValueError("the record is nested too deeply");
  if (Array.isArray(node)) {
    for (let i = 0; i < node.length; i++) {
      const item: unknown = node[i];
      if (typeof item === "object" && item !== null) node[i] = unpack(item, depth + 1);
    }
    return node;
  }
  return unpackObject(node as Record<string, unknown>, depth);
}

function unpackObject(node: Record<string, unknown>, depth: number): unknown {
  const keys = Object.keys(node);
  // An assignment is safe for "__proto__" too, since JSON.parse made it an own property.
  for (const key of keys) {
    const property = node[key];
    if (typeof property === "object" && property !== null) node[key] = unpack(property, depth + 1);
  }
  const [key] = keys;
  if (key === undefined || keys.length > 1 || !key.startsWith(TAG_PREFIX)) return node;
  const content = node[key];
  if (key.startsWith(ESCAPE_PREFIX)) return { [TAG_PREFIX + key.slice(ESCAPE_PREFIX.length)]: content };
  return unpackTag(key, content);
}

function unpackTag(tag: string, content: unknown): unknown {
  switch (tag) {
    case Tag.date:
      return unpackDate(content);
    case Tag.map:
      if (Array.isArray(content) && content.every(isPair)) return new Map(content);
      break;
    case Tag.set:
      if (Array.isArray(content)) return new Set<unknown>(content);
      break;
    case Tag.bigint:
      if (typeof content === "string" && /^(?:0|-?[1-9]\d*)$/.test(content)) return BigInt(content);
      break;
    case Tag.bytes:
    case Tag.buffer:
      return unpackBytes(tag, content);
    case Tag.number:
      if (content === "-0" || content === "NaN" || content === "Infinity" || content === "-Infinity")
        return Number(content);
      break;
    case Tag.undefined:
      if (content === null) return undefined;
      break;
    case Tag.bare:
      if (isRecord(content)) return bareCopy(content);
      break;
    default:
      throw new CorruptValueError("the record holds a tag that this version does not know");
  }
  return malformed(tag);
}

function malformed(tag: string): never {
  throw new CorruptValueError(`the record holds a tag ${tag} whose content is malformed`);
}

function unpackDate(content: unknown): Date {
  if (content === null) return new Date(Number.NaN);
  const date = new Date(typeof content === "string" ? content : Number.NaN);
  // Only what toISOString writes: Date.parse takes much else, some of it in the local time zone.
  return !Number.isNaN(date.getTime()) && date.toISOString() === content ? date : malformed(Tag.date);
}

function unpackBytes(tag: typeof Tag.bytes | typeof Tag.buffer, content: unknown): Uint8Array {
  if (typeof content !== "string") return malformed(tag);
  // Not from Buffer's pool: the bytes of one value must not share memory with anything else.
  const buffer = Buffer.alloc(Buffer.byteLength(content, "base64"));
  if (buffer.write(content, "base64") !== buffer.length || buffer.toString("base64") !== content) return malformed(tag);
  return tag === Tag.buffer ? buffer : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

function isPair(entry: unknown): entry is [unknown, unknown] {
  return Array.isArray(entry) && entry.length === 2;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !Array.isArray(value)
  );
}

function bareCopy(source: Record<string, unknown>): Record<string, unknown> {
  const copy = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(source)) setOwn(copy, key, source[key]);
  return copy;
}

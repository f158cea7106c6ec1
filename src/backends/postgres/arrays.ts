/*
 * Arrays as parameters, in the server's binary format: the driver sends a Buffer as it is, where it would write an
 * array as text, bytes in hexadecimal digits.
 *
 * Header: dimensions, whether there are nulls, type; then of the one dimension its length and first index. Each element
 * follows its length, which is -1 for NULL. All are 32 bits.
 */

/** Of the types, in the server's catalog. */
const types = { bytea: 17, int8: 20, int2: 21, text: 25 } as const;
const headerBytes = 20;

/** `bytea[]`; text is written as UTF-8. */
export function bytesArray(items: readonly (string | Uint8Array | undefined)[]): Buffer {
  return variable(items, types.bytea);
}

/** `text[]`. */
export function textArray(items: readonly string[]): Buffer {
  return variable(items, types.text);
}

/** `bigint[]`, of integers. */
export function bigintArray(items: readonly (number | undefined)[]): Buffer {
  const array = started(items.length, 12 * items.length, types.int8);
  let at = headerBytes;
  for (const item of items) {
    if (item === undefined) at = array.writeInt32BE(-1, at);
    else at = array.writeBigInt64BE(BigInt(item), array.writeInt32BE(8, at));
  }
  return array.subarray(0, at);
}

/** `smallint[]`. */
export function smallintArray(items: readonly number[]): Buffer {
  const array = started(items.length, 6 * items.length, types.int2);
  let at = headerBytes;
  for (const item of items) at = array.writeInt16BE(item, array.writeInt32BE(2, at));
  return array;
}

/** One of these arrays as the server's text, for drivers that write parameters by themselves. */
export function arrayText(array: Buffer): string {
  const type = array.readInt32BE(8);
  const texts: string[] = [];
  for (let at = headerBytes; at < array.length;) {
    const length = array.readInt32BE(at);
    at += 4;
    texts.push(length < 0 ? "NULL" : elementText(array.subarray(at, at + length), type));
    at += Math.max(length, 0);
  }
  return `{${texts.join(",")}}`;
}

function elementText(element: Buffer, type: number): string {
  switch (type) {
    case types.int8:
      return String(element.readBigInt64BE());
    case types.int2:
      return String(element.readInt16BE());
    case types.bytea:
      return `"\\\\x${element.toString("hex")}"`;
    default:
      return `"${element.toString().replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  }
}

function variable(items: readonly (string | Uint8Array | undefined)[], type: number): Buffer {
  let bytes = 4 * items.length;
  for (const item of items) if (item !== undefined) bytes += Buffer.byteLength(item);
  const array = started(items.length, bytes, type);
  let at = headerBytes;
  for (const item of items) {
    if (item === undefined) {
      at = array.writeInt32BE(-1, at);
      continue;
    }
    const start = at + 4;
    const end =
      typeof item === "string" ? start + array.write(item, start) : (array.set(item, start), start + item.byteLength);
    array.writeInt32BE(end - start, at);
    at = end;
  }
  return array;
}

function started(length: number, bytes: number, type: number): Buffer {
  const array = Buffer.allocUnsafe(headerBytes + bytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(1, 4);
  array.writeInt32BE(type, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return array;
}

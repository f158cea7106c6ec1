import { utf8Length } from "./keys.ts";

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes as a person reads it: `"1.5 MiB"`. */
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 2 ** (10 * power)).toFixed(1)} ${units[power]}`;
}

/**
 * The bytes of a value, if they are more than `most`. They are counted only where its length leaves that open: a unit
 * of text takes three at most. A lone surrogate takes three, as its replacement does.
 */
export function bytesOver(value: string | Uint8Array, most: number): number | undefined {
  if (value.length * 3 <= most) return undefined;
  let bytes = typeof value === "string" ? utf8Length(value) : value.byteLength;
  if (bytes < 0) bytes = Buffer.byteLength(value);
  return bytes > most ? bytes : undefined;
}

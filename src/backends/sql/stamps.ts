import { spaceOfId, type Key } from "../../base/keys.ts";
import type { ListedRecord, Stamp } from "../../port/index.ts";

/*
 * Stamps as they are stored: JSON of an array of [space, key, version], each in hexadecimal digits of its UTF-8, so
 * that a statement can look for them whatever characters they have.
 */

type Stored = readonly [space: string, key: string, version: string][];

/** A stamp, as stored. */
export interface StoredStamp {
  /** Undefined for what is no key of ours. */
  readonly key: Key | undefined;
  readonly version: string;
}

/** Undefined for none. */
export function stampsText(stamps: readonly Stamp[] | undefined): string | undefined {
  if (!stamps?.length) return undefined;
  return JSON.stringify(stamps.map(({ key, id }) => [hex(key.space.id), hex(key.key), hex(id)]));
}

export function stampsOf(text: string | undefined): readonly StoredStamp[] {
  if (text === undefined) return [];
  return (JSON.parse(text) as Stored).map(([id, key, version]) => {
    const space = spaceOfId(unhex(id));
    return { key: space && { space, key: unhex(key) }, version: unhex(version) };
  });
}

/** As a caller may have them. */
export function shownStamps(text: string): ListedRecord["stamps"] {
  return (JSON.parse(text) as Stored).map(([id, key, version]) => ({
    key: unhex(id) + unhex(key),
    id: unhex(version),
  }));
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}

function unhex(digits: string): string {
  return Buffer.from(digits, "hex").toString();
}

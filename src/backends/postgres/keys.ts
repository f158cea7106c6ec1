import type { Key } from "../../base/keys.ts";
import { bytesArray } from "./arrays.ts";

/** Keys as two arrays. */
export function namesOf(keys: readonly Key[]): [Buffer, Buffer] {
  return [bytesArray(keys.map(({ space }) => space.id)), bytesArray(keys.map(({ key }) => key))];
}

/** One key as two values. */
export function nameOf({ space, key }: Key): [Buffer, Buffer] {
  return [Buffer.from(space.id), Buffer.from(key)];
}

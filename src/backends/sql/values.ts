import type { Space } from "../../base/keys.ts";
import type { Payload } from "../../port/index.ts";
import { formats, type SetRow } from "./dialect.ts";

/** How a value is stored: as JSON where it is the text of a state record. No JSON has a NUL in it. */
export function formatOf({ kind }: Space, value: Payload): SetRow["format"] {
  if (typeof value !== "string") return formats.bytes;
  return kind === "state" && !value.includes("\0") ? formats.json : formats.text;
}

/** Its bytes, those of UTF-8 for a text. Bytes are not copied. */
export function bytesOf(value: Payload): Buffer {
  return typeof value === "string" ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Whether a JSON text is nested deeper than that. */
export function isDeeper(text: string, most: number): boolean {
  return text.length > 2 * most && opensMore(text, most) && depthOf(text) > most;
}

/** Whether it has more opening brackets than that, in strings too: few have, and this is soon told. */
function opensMore(text: string, most: number): boolean {
  let count = 0;
  for (const bracket of "[{") {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++count > most) return true;
  }
  return false;
}

function depthOf(text: string): number {
  let [depth, deepest, inString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i++;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (char === 0x5d || char === 0x7d) depth--;
  }
  return deepest;
}

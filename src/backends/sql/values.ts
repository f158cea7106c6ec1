import type { Space } from "../../base/keys.ts";
import type { Payload } from "../../port/index.ts";
import { formats, type SetRow } from "./dialect.ts";

/**
 * How a value is stored: as JSON where it is the text of a state record that the server's JSON type can hold, nested no
 * deeper than `mostNested`. Undefined stands for a server that looks itself.
 */
export function formatOf({ kind }: Space, value: Payload, mostNested: number | undefined): SetRow["format"] {
  if (typeof value !== "string") return formats.bytes;
  if (kind !== "state") return formats.text;
  // No JSON has a NUL in it.
  const isJson = mostNested === undefined ? !value.includes("\0") : isStorableJson(value, mostNested);
  return isJson ? formats.json : formats.text;
}

/** What JSON allows and a server's JSON type may not: NUL and halves of characters, numbers beyond a double's. */
const refused = /(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89a-fA-F])|[eE][-+]?\d{4}|\d{1000}/;

function isStorableJson(text: string, mostNested: number): boolean {
  if (refused.test(text)) return false;
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  return !isDeeper(text, mostNested);
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

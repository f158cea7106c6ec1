import { createHash } from "node:crypto";
import { utf8Length } from "../../../base/keys.ts";
import { InvalidArgumentError } from "../../../base/errors.ts";

/** Longest key that the protocol takes, as it is sent, in characters. */
const longest = 250;
/** What a hash begins with. No other key is sent that begins so: one that does is hashed itself. */
const mark = "#";

/** A key as it is sent, and the flag that says that it is in base64. */
export interface WireKey {
  readonly token: string;
  readonly flag: "" | " b";
}

/**
 * Any text as a key of the protocol: as it is where that is a plain word, else in base64, and where that is too long
 * the SHA-256 of it. Different texts are different keys. Throws InvalidArgumentError for a lone surrogate, which UTF-8
 * has no bytes for.
 */
export function wireKey(key: string): WireKey {
  if (!key.startsWith(mark)) {
    if (key.length <= longest && /^[!-~]+$/.test(key)) return { token: key, flag: "" };
    if (key !== "" && key.length <= longest) {
      const token = bytesOf(key).toString("base64");
      if (token.length <= longest) return { token, flag: " b" };
    }
  }
  return { token: mark + createHash("sha256").update(bytesOf(key)).digest("base64url"), flag: "" };
}

function bytesOf(key: string): Buffer {
  if (utf8Length(key) < 0)
    throw new InvalidArgumentError("a key must be well-formed Unicode: it holds a lone surrogate");
  return Buffer.from(key);
}

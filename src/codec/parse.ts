import { CorruptValueError } from "../base/errors.ts";

/** Made when it is first needed, for most records are text. */
let utf8: InstanceType<typeof TextDecoder> | undefined;

// No causes below: the message of a SyntaxError quotes the text, and an error must hold no value.

/** A record as text. Throws CorruptValueError. */
export function textOf(data: string | Uint8Array): string {
  if (typeof data === "string") return data;
  try {
    utf8 ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return utf8.decode(data);
  } catch {
    throw new CorruptValueError("the record is not valid UTF-8");
  }
}

/** The value of a text of JSON. Throws CorruptValueError. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CorruptValueError("the record is not valid JSON");
  }
}

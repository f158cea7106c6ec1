import { keyId, spaceOfId, type Key } from "../../../base/keys.ts";
import type { Signal } from "../../../port/index.ts";
import type { HandedOff } from "../../common/lock-rules.ts";

// What notifications say. A payload is text of less than 8,000 bytes and without NUL, whatever the characters of the
// database, so what may hold any character goes as base64.

/** Longest part of a message, in characters of base64. */
const longestPart = 7_800;

/** To the channel of the session whose waiter was granted a lock. */
export function grantPayload(lock: Key, { owner, grant }: HandedOff): string {
  return `${grant} ${base64(owner)} ${base64(keyId(lock))}`;
}

/** Undefined for what {@link grantPayload} does not make, for anybody can notify a channel. */
export function readGrant(
  payload: string,
): { readonly lock: Key; readonly owner: string; readonly grant: number } | undefined {
  const [first = "", owner = "", lock = "", ...more] = payload.split(" ");
  const grant = Number(first);
  if (!Number.isSafeInteger(grant) || grant <= 0 || owner === "" || more.length > 0) return undefined;
  const id = text(lock);
  const space = spaceOfId(id);
  if (!space || id.length <= space.id.length) return undefined;
  return { lock: { space, key: id.slice(space.id.length) }, owner: text(owner), grant };
}

/** The keys that a notification of changes names: the server makes it, see `telling.ts`. */
export function readChanges(payload: string): readonly string[] {
  return payload.split(",").map(text);
}

/** A message in parts, each a payload. They are numbered, for equal payloads of one transaction are told once. */
export function messageParts(id: string, body: string): readonly string[] {
  const whole = base64(body);
  const count = Math.max(1, Math.ceil(whole.length / longestPart));
  return Array.from({ length: count }, (_, i) => {
    return `${id} ${i} ${count} ${whole.slice(i * longestPart, (i + 1) * longestPart)}`;
  });
}

/** Puts the messages of one topic together. The parts of one come in their order, and no other message between them. */
export class MessageReader {
  #id = "";
  #parts: string[] = [];
  /** How many parts the message has; 0 between messages, and while what is left of a broken one comes. */
  #count = 0;

  /** What a payload tells: a message with its last part, and a gap where parts of one are missing. */
  take(payload: string): readonly Signal[] {
    const [id = "", index, total, part, ...more] = payload.split(" ");
    const [i, count] = [Number(index), Number(total)];
    if (part === undefined || more.length > 0 || !(i >= 0 && i < count && count <= mostParts)) return [];
    const told: Signal[] = [];
    const goesOn = id === this.#id;
    if (this.#count > 0 && !(goesOn && i === this.#parts.length)) {
      this.#end();
      told.push({ type: "gap" });
    }
    if (i === 0) {
      this.#count = count;
      this.#parts = [];
    } else if (this.#count === 0 && !goesOn) told.push({ type: "gap" });
    this.#id = id;
    if (this.#count === 0) return told;
    if (this.#parts.push(part) < count) return told;
    const body = text(this.#parts.join(""));
    this.#end();
    return [...told, { type: "message", body }];
  }

  #end(): void {
    this.#count = 0;
    this.#parts = [];
  }
}

/** More than the longest message has. */
const mostParts = 64;

function base64(value: string): string {
  return Buffer.from(value).toString("base64");
}

function text(encoded: string): string {
  return Buffer.from(encoded, "base64").toString();
}

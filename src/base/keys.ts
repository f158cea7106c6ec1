// What everything stands on. Each file is for itself.
//
// - What callers see: `errors`, `durations`, and `keys`, which are checked and get their place in a space here.
// - Names: `ids` are drawn, `tags` are the part of a key in braces, `process-tag` names a process so that its death can
//   be proved.
// - Time: `time` has clocks and timers, which tests replace; `keep-alive` is a timer that keeps the process alive, and
//   `idle` keeps what is likely needed again.
// - Calls: `aborts` is the one way to listen to a signal, `async` has promises, `emitter` tells listeners.
// - Collections for what comes and goes with every call: `bag`, `linked-list`, `churn-map`. `weak-names` holds objects
//   by name for as long as somebody holds them.
// - Numbers: `sizes`, `quantiles`. `environment` is what a thread or process of ours gets of the application's.

import { InvalidArgumentError } from "./errors.ts";

/** Longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;
/** Longest service and name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 256;

/** Bytes of `text` as UTF-8, or -1 if it holds a lone surrogate. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
    else {
      const next = unit < 0xdc00 ? text.charCodeAt(i + 1) : 0;
      if (!(next >= 0xdc00 && next <= 0xdfff)) return -1;
      bytes += 2; // four bytes for two units
      i++;
    }
  }
  return bytes;
}

function checked(value: unknown, what: string, max: number): string {
  if (typeof value !== "string")
    throw new InvalidArgumentError(`${what} must be a string, got ${value === null ? "null" : typeof value}`);
  const bytes = utf8Length(value);
  if (bytes < 0) throw new InvalidArgumentError(`${what} must be well-formed Unicode: it holds a lone surrogate`);
  if (bytes > max) throw new InvalidArgumentError(`${what} must be at most ${max} bytes of UTF-8, got ${bytes}`);
  return value;
}

/** Refuses what cannot be a key: not a string, empty, not well formed, over 1 KiB of UTF-8. */
export function checkKey(key: unknown, what = "key"): string {
  const text = checked(key, what, MAX_KEY_BYTES);
  if (text === "") throw new InvalidArgumentError(`${what} must not be empty`);
  return text;
}

/** Refuses what cannot be a service: as {@link checkName}, but it may be empty. */
export function checkService(service: unknown): string {
  return checked(service, "service", MAX_NAME_BYTES);
}

/** Refuses what cannot be the name of a store, cache or lock: not a string, empty, not well formed, over 256 bytes. */
export function checkName(name: unknown, what = "name"): string {
  const text = checked(name, what, MAX_NAME_BYTES);
  if (text === "") throw new InvalidArgumentError(`${what} must not be empty`);
  return text;
}

/** What a record is for. Kinds never share records. */
export type Kind =
  /** Records of a state store. */
  | "state"
  /** Entries of a cache. */
  | "cache"
  /** Versions of a cache's tags, and of the cache as a whole. */
  | "stamp"
  /** Locks by key. */
  | "lock"
  /** Semaphores and read/write locks, by name. */
  | "shared"
  /** Locks of `runOnce` and of `elect`, by id. */
  | "once"
  /** Results of `runOnce`, by id. */
  | "result"
  /** Turns of those who change the same record of a state store, by its name and key. */
  | "turn"
  /** Turns of transactions. */
  | "turns";

/** One letter a kind, part of every stored key: never change one. */
const letters: Readonly<Record<Kind, string>> = {
  state: "s",
  cache: "c",
  stamp: "t",
  lock: "l",
  shared: "h",
  once: "o",
  result: "r",
  turn: "u",
  turns: "q",
};

/** The records of one kind, service and name. */
export interface Space {
  readonly kind: Kind;
  readonly service: string;
  readonly name: string;
  /**
   * The tuple (kind, service, name) as one string. No id is a prefix of another, so `id + key` is one-to-one with
   * (kind, service, name, key), and all keys of a space are one range of an ordered store. At most 521 bytes of UTF-8.
   */
  readonly id: string;
}

/** Makes a space; checks service and name. */
export function space(kind: Kind, service: string, name: string): Space {
  checkService(service);
  checkName(name);
  const id = `${letters[kind]}${service.length}:${service}${name.length}:${name}`;
  return { kind, service, name, id };
}

/** A record's or a lock's address. */
export interface Key {
  readonly space: Space;
  /** The caller's key, any non-empty well-formed string of at most 1 KiB of UTF-8. */
  readonly key: string;
}

/** The one string that stands for a key, in maps and in ordered stores. */
export function keyId(key: Key): string {
  return key.space.id + key.key;
}

/** Whether two keys are the same. */
export function isSameKey(one: Key, other: Key): boolean {
  return one.key === other.key && one.space.id === other.space.id;
}

const kinds: ReadonlyMap<string, Kind> = new Map(
  Object.entries(letters).map(([kind, letter]) => [letter, kind as Kind]),
);

/** The space whose id `text` begins with; undefined for what is no {@link keyId} and no space's id. */
export function spaceOfId(text: string): Space | undefined {
  const kind = kinds.get(text.slice(0, 1));
  const service = sizedText(text, 1);
  const name = service && sizedText(text, service.end);
  return kind && service && name?.text ? space(kind, service.text, name.text) : undefined;
}

/** A text that its length stands before, and where it ends. */
function sizedText(id: string, at: number): { readonly text: string; readonly end: number } | undefined {
  const colon = id.indexOf(":", at);
  const digits = id.slice(at, colon);
  if (colon < 0 || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const end = colon + 1 + Number(digits);
  return end > id.length ? undefined : { text: id.slice(colon + 1, end), end };
}

import { CorruptValueError } from "../../base/errors.ts";
import { keyId, type Key } from "../../base/keys.ts";
import { packLock, unpackLock, type PackedLock } from "../common/lock-codec.ts";
import { emptyLock, endOf, handOff, type HandedOff, type LockRecord } from "../common/lock-rules.ts";
import type { LockRow, SavedLock } from "./dialect.ts";

/**
 * How long the last grant of a lock that nobody uses is kept, in ms. Written in whole steps, so that few changes of a
 * lock change the index of this column.
 */
const keepGrantMs = 24 * 3_600_000;
const keepStepMs = 3_600_000;

/** A lock whose waiter was granted it: to be told. */
export interface Granted extends HandedOff {
  readonly lock: Key;
}

/** The locks of a view, read where somebody asks for them. */
export class RowLocks {
  readonly rows = new Map<string, LockRow>();
  readonly granted: Granted[] = [];
  readonly #backend: string;
  readonly #read = new Map<string, { readonly key: Key; readonly lock: LockRecord; saved: boolean }>();

  constructor(backend: string) {
    this.#backend = backend;
  }

  get(key: Key): LockRecord {
    const id = keyId(key);
    const known = this.#read.get(id);
    if (known) return known.lock;
    const lock = this.#stored(id, key);
    this.#read.set(id, { key, lock, saved: false });
    return lock;
  }

  /** Passes it on, and keeps it. */
  save(key: Key, lock: LockRecord, now: number, least: number): void {
    for (const granted of handOff(lock, now, least)) this.granted.push({ ...granted, lock: key });
    this.#read.set(keyId(key), { key, lock, saved: true });
  }

  get all(): readonly { readonly key: Key; readonly lock: LockRecord }[] {
    return [...this.#read.values()];
  }

  get hasSaved(): boolean {
    for (const { saved } of this.#read.values()) if (saved) return true;
    return false;
  }

  /** Those that are to be written, at `now`. */
  saved(now: number): ReadonlyMap<string, SavedLock> {
    const all = new Map<string, SavedLock>();
    for (const [id, { key, lock, saved }] of this.#read) {
      if (!saved) continue;
      const keptUntil = Math.ceil(Math.max(endOf(lock), now + keepGrantMs) / keepStepMs) * keepStepMs;
      all.set(id, { key, body: JSON.stringify(packLock(lock)), grant: lock.grant, keptUntil });
    }
    return all;
  }

  /** Those that somebody holds now who did not. */
  newlyHeld(): readonly { readonly key: Key }[] {
    return [...this.#read].flatMap(([id, { key, lock, saved }]) => {
      if (!saved) return [];
      const before = new Set(this.#stored(id, key).holds.map(({ owner }) => owner));
      return lock.holds.some(({ owner }) => !before.has(owner)) ? [{ key }] : [];
    });
  }

  #stored(id: string, key: Key): LockRecord {
    const body = this.rows.get(id)?.body ?? "";
    if (body === "") return emptyLock();
    try {
      return unpackLock(JSON.parse(body) as PackedLock);
    } catch (cause) {
      const message = "what is stored of this lock cannot be read";
      throw new CorruptValueError(message, { backend: this.#backend, key: key.key, cause });
    }
  }
}

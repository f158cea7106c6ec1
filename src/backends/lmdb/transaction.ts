import { handOff, nextTurn, passes, reapDead, type LockRecord } from "../common/lock-rules.ts";
import { leaseNow } from "./clock.ts";
import type { Tables } from "./tables.ts";
import { index } from "./expiry-index.ts";
import { tagOf, wasOver } from "../../base/process-tag.ts";
import { encodeLock, readLock, sessionsOf, type StoredLock } from "./lock-table.ts";
import { append, type LogEntry } from "./log.ts";
import { metaKeys, readMeta, readWatches, writeMeta, type Watches } from "./meta.ts";
import type { WiredKey } from "./wire.ts";

/** How long the record of a lock that nobody uses is kept. */
const lockKept = 600_000;

/** What a transaction of the commit thread shares: clocks read once, who watches, what is to be told. */
export class Transaction {
  readonly tables: Tables;
  readonly epoch: number;
  /** Wall time, for entries. */
  readonly wall = Date.now();
  /** The lease clock. */
  readonly now = leaseNow();
  readonly #watches: Watches;
  /** Locks that somebody waits for, each with the ms until it may pass on by itself: lock, ms, lock, ms, ... */
  readonly turns: (string | number)[] = [];
  readonly #told: LogEntry[] = [];
  readonly #ping = new Set<string>();
  #floor: number | undefined;

  constructor(tables: Tables, epoch: number, cache: WatchCache) {
    this.tables = tables;
    this.epoch = epoch;
    this.#watches = cache.read(tables);
  }

  /** The lock under `key` as of now: what has expired is gone, and who was next has it. */
  lock(key: Buffer): StoredLock {
    const lock = readLock(this.tables.locks, key, this.epoch, this.now);
    if (!passes(lock.record)) return lock;
    // Time alone did this, so it stays whatever becomes of the group that found it.
    this.saveLock(key, lock);
    return readLock(this.tables.locks, key, this.epoch, this.now);
  }

  /** Below which no grant of `lock` may be: microseconds of the wall clock, and what was swept for a lock without a record. */
  leastGrant(lock: StoredLock): number {
    const micros = this.wall * 1_000;
    if (lock.stored) return micros;
    this.#floor ??= (readMeta<number>(this.tables.meta, metaKeys.floor) ?? 0) + 1;
    return Math.max(micros, this.#floor);
  }

  /** Keeps that no grant up to `grant` is given again. */
  raiseFloor(grant: number): void {
    if (grant > (readMeta<number>(this.tables.meta, metaKeys.floor) ?? 0))
      writeMeta(this.tables.meta, metaKeys.floor, grant);
    this.#floor = undefined;
  }

  /** Passes the lock on to those whose turn it is, and has them told. */
  #passOn(key: Buffer, lock: StoredLock): void {
    const over = (session: string): boolean => wasOver(tagOf(session), this.now);
    do {
      for (const { owner, session } of handOff(lock.record, this.now, this.leastGrant(lock))) {
        this.#told.push({ type: "granted", lock: key.toString(), owner, session });
        this.#ping.add(peerOf(session));
      }
      // Whoever was handed it may be no more by now, and so may be who is next.
    } while (reapDead(lock.record, over));
    const next = nextTurn(lock.record);
    if (next < Infinity) this.turns.push(key.toString(), next - this.now);
  }

  /** Passes the lock on if it can be, and writes it back with what the other tables know of it. */
  saveLock(key: Buffer, lock: StoredLock): void {
    const { locks, expiry, meta } = this.tables;
    if (lock.record.queue.length > 0) this.#passOn(key, lock);
    if (lock.sweepAt === 0) {
      lock.sweepAt = this.wall + lockKept;
      index(expiry, lock.sweepAt, "lock", key);
    }
    locks.put(key, encodeLock(lock, this.epoch));
    const before = peersOf(lock.waiting);
    const after = peersOf(sessionsOf(lock.record));
    if (before.length + after.length === 0) return;
    const text = key.toString();
    for (const peer of before) if (!after.includes(peer)) meta.remove(metaKeys.waits(peer) + text);
    for (const peer of after) if (!before.includes(peer)) writeMeta(meta, metaKeys.waits(peer) + text, 1);
  }

  /** Has the sweep look at the lock again, since it was in use; or removes it. */
  sweepLock(key: Buffer, lock: StoredLock): void {
    if (!lock.stored) return;
    if (isIdle(lock.record) && lock.record.grant < (this.wall - lockKept) * 1_000) {
      this.raiseFloor(lock.record.grant);
      this.tables.locks.remove(key);
      return;
    }
    lock.sweepAt = 0;
    this.saveLock(key, lock);
  }

  /** Tells of a written, deleted or expired record, if somebody watches its space. */
  changed(key: WiredKey): void {
    if (this.#watches.spaces.size === 0) return;
    const watching = this.#watches.spaces.get(key.bytes.toString("utf8", 0, key.space));
    if (!watching) return;
    this.#told.push({ type: "changed", key: key.bytes.toString() });
    for (const peer of watching) this.#ping.add(peer);
  }

  /** As {@link changed}, for a key of which it is not known where its space ends. */
  changedBare(bytes: Buffer): void {
    if (this.#watches.spaces.size === 0) return;
    const text = bytes.toString();
    for (const space of this.#watches.spaces.keys()) {
      if (text.startsWith(space)) this.changed({ bytes, space: Buffer.byteLength(space) });
    }
  }

  /** Sends a message to those who listen. */
  publish(topic: string, body: string): void {
    const listening = this.#watches.topics.get(topic);
    if (!listening) return;
    this.#told.push({ type: "message", topic, body });
    for (const peer of listening) this.#ping.add(peer);
  }

  /** Has every later transaction, of every process, read anew who watches. */
  watchesChanged(): void {
    writeMeta(this.tables.meta, metaKeys.watches, (readMeta<number>(this.tables.meta, metaKeys.watches) ?? 0) + 1);
  }

  /** Writes what is to be told; whom to wake once it is committed. */
  finish(): string[] {
    if (this.#told.length > 0) append(this.tables.log, this.tables.meta, this.#told);
    return [...this.#ping];
  }
}

/** Who watches, read again only when that has changed. */
export class WatchCache {
  #version = -1;
  #watches: Watches = { spaces: new Map(), topics: new Map() };

  read(tables: Tables): Watches {
    const version = readMeta<number>(tables.meta, metaKeys.watches) ?? 0;
    if (version !== this.#version) {
      this.#watches = readWatches(tables.meta);
      this.#version = version;
    }
    return this.#watches;
  }

  /** A transaction was undone: what it read may never have been. */
  forget(): void {
    this.#version = -1;
  }
}

function isIdle(record: LockRecord): boolean {
  return record.holds.length === 0 && record.queue.length === 0 && record.marks.length === 0;
}

/** A session's id starts with its process's. */
export function peerOf(session: string): string {
  return session.slice(0, session.indexOf("/"));
}

function peersOf(sessions: readonly string[]): readonly string[] {
  return sessions.length === 0 ? sessions : [...new Set(sessions.map(peerOf))];
}

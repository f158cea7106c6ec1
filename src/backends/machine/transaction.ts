import { spaceOfId } from "../../base/keys.ts";
import { tagOf, wasOver } from "../../base/process-tag.ts";
import { lockNow } from "../common/decide.ts";
import { handOff, nextTurn, reapDead, type LockRecord } from "../common/lock-rules.ts";
import type { Fence, SetOn, View } from "../common/view.ts";
import { leaseNow } from "./clock.ts";
import { lockText, sessionsOf, type StoredLock } from "./lock-table.ts";
import { append, type LogEntry } from "./log.ts";
import { metaKeys, readMeta, writeMeta, type WatchCache, type Watches } from "./meta.ts";
import type { WritableTables } from "./tables.ts";
import { TablesView } from "./tables-view.ts";
import type { WiredKey, WiredRecord } from "./wire.ts";

/** How long the record of a lock that nobody uses is kept. */
const lockKept = 600_000;

/** A transaction of the commit thread: what its groups are decided on, who watches, what is to be told. */
export class Transaction
  extends TablesView<WiredKey, WritableTables>
  implements View<WiredKey, WiredRecord, unknown, StoredLock>
{
  readonly wall = Date.now();
  readonly now = leaseNow();
  readonly #cache: WatchCache;
  #watches: Watches;
  /** Locks that somebody waits for, each with the ms until it may pass on by itself: lock, ms, lock, ms, ... */
  readonly passing: (string | number)[] = [];
  readonly #told: LogEntry[] = [];
  readonly #ping = new Set<string>();
  #floor: number | undefined;

  constructor(tables: WritableTables, epoch: number, cache: WatchCache) {
    super(tables, epoch);
    this.#cache = cache;
    this.#watches = cache.read(tables.meta);
  }

  put(op: SetOn<WiredKey, WiredRecord>, end: number): void {
    this.tables.put(op, end, this.wall);
    this.changed(op.key);
  }

  touch(key: WiredKey, end: number): void {
    this.tables.touch(key, end, this.wall);
    this.changed(key);
  }

  remove(key: WiredKey, isThere: boolean): void {
    // Also of one that has expired: the sweep, which tells of those, will not find it any more.
    if (this.tables.remove(key, isThere)) this.changed(key);
  }

  raiseFloor(key: WiredKey, fence: Fence, keepMs: number): void {
    this.tables.raiseFloor(key, fence, keepMs, this.wall);
  }

  /**
   * Below which no grant of `lock` may be: microseconds of the wall clock, and what was swept for a lock without a
   * record.
   */
  leastGrant(lock: StoredLock): number {
    const micros = this.wall * 1_000;
    if (lock.stored) return micros;
    this.#floor ??= (readMeta<number>(this.tables.meta, metaKeys.floor) ?? 0) + 1;
    return Math.max(micros, this.#floor);
  }

  /** The lock under the key id `id` as of now, passed on if it can be. */
  settle(id: string): StoredLock {
    return lockNow(this, wiredKey(id)) as StoredLock;
  }

  /** Passes the lock on to those whose turn it is, and has them told. */
  #passOn(id: string, lock: StoredLock): void {
    const over = (session: string): boolean => wasOver(tagOf(session), this.now);
    do {
      for (const { owner, session } of handOff(lock, this.now, this.leastGrant(lock))) {
        this.#told.push({ type: "granted", lock: id, owner, session });
        this.#ping.add(peerOf(session));
      }
      // Whoever was handed it may be no more by now, and so may be who is next.
    } while (reapDead(lock, over));
    const next = nextTurn(lock);
    if (next < Infinity) this.passing.push(id, next - this.now);
  }

  /** Passes the lock on if it can be, and writes it back with what is known of it elsewhere. */
  saveLock(key: WiredKey, lock: StoredLock): void {
    const { tables } = this;
    if (lock.queue.length > 0) this.#passOn(key.bytes.toString(), lock);
    const isIndexed = lock.sweepAt !== 0;
    if (!isIndexed) lock.sweepAt = this.wall + lockKept;
    tables.putLock(key, lockText(lock, this.epoch), isIndexed ? undefined : lock.sweepAt);
    lock.stored = true;
    const sessions = sessionsOf(lock);
    if (lock.waiting.length + sessions.length === 0) return;
    const before = peersOf(lock.waiting);
    const after = peersOf(sessions);
    lock.waiting = sessions;
    const { meta } = tables;
    const id = key.bytes.toString();
    for (const peer of before) if (!after.includes(peer)) meta.remove(metaKeys.waits(peer) + id);
    for (const peer of after) if (!before.includes(peer)) writeMeta(meta, metaKeys.waits(peer) + id, 1);
  }

  /** Has the sweep look at the lock again, since it was in use; or removes it. */
  sweepLock(key: WiredKey, lock: StoredLock): void {
    if (!lock.stored) return;
    if (isIdle(lock) && lock.grant < (this.wall - lockKept) * 1_000) {
      const { meta } = this.tables;
      if (lock.grant > (readMeta<number>(meta, metaKeys.floor) ?? 0)) writeMeta(meta, metaKeys.floor, lock.grant);
      this.#floor = undefined;
      this.tables.removeLock(key);
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

  /** Has this transaction from here on, and every later one of every process, go by who watches now. */
  watchesChanged(): void {
    writeMeta(this.tables.meta, metaKeys.watches, (readMeta<number>(this.tables.meta, metaKeys.watches) ?? 0) + 1);
    this.#watches = this.#cache.read(this.tables.meta);
  }

  /** Writes what is to be told; whom to wake once it is committed. */
  finish(): string[] {
    if (this.#told.length > 0) append(this.tables.log, this.tables.meta, this.#told);
    return [...this.#ping];
  }
}

function isIdle(record: LockRecord): boolean {
  return record.holds.length === 0 && record.queue.length === 0 && record.marks.length === 0;
}

/** The key with that id. */
export function wiredKey(id: string): WiredKey {
  return { bytes: Buffer.from(id), space: Buffer.byteLength(spaceOfId(id)?.id ?? "") };
}

/** A session's id starts with its process's. */
export function peerOf(session: string): string {
  return session.slice(0, session.indexOf("/"));
}

function peersOf(sessions: readonly string[]): readonly string[] {
  return sessions.length === 0 ? sessions : [...new Set(sessions.map(peerOf))];
}

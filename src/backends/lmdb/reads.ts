import { holdOf, nextTurn, passes, stateOf } from "../common/lock-rules.ts";
import type {
  Condition,
  Group,
  Key,
  ListedRecord,
  Outcome,
  Page,
  Query,
  Result,
  StoredRecord,
} from "../../port/index.ts";
import { InvalidArgumentError } from "../../base/errors.ts";
import { keyId } from "../../base/keys.ts";
import { leaseNow } from "./clock.ts";
import type { LmdbStore } from "./driver.ts";
import type { Tables } from "./tables.ts";
import { idOf, isExpired, readRecord, stampsOf } from "./layout.ts";
import { readLock } from "./lock-table.ts";

/** Whether a group only reads, so that it needs no commit. */
export function onlyReads(group: Group): boolean {
  for (const { op } of group.ops) if (op !== "get" && op !== "check" && op !== "inspect") return false;
  return true;
}

/**
 * Reads in the calling thread, each group from one fresh snapshot. A snapshot is reused until it is reset, and one that
 * stays open keeps the file from reusing space: so it is reset before and after.
 */
export class Reads {
  readonly #tables: Tables;
  readonly #epoch: number;

  constructor(tables: Tables, epoch: number) {
    this.#tables = tables;
    this.#epoch = epoch;
  }

  /** Runs a group that {@link onlyReads}; `undefined` when it finds a lock that must be passed on first, which is a write. */
  group(group: Group): Outcome | undefined {
    const { root } = this.#tables;
    root.resetReadTxn();
    try {
      const only = group.ops.length === 1 && !group.guards ? group.ops[0] : undefined;
      if (only?.op === "get" && !only.stamped) return { ok: true, results: [this.#get(only.key, Date.now())] };
      return this.#run(group);
    } finally {
      root.resetReadTxn();
    }
  }

  #run(group: Group): Outcome | undefined {
    const wall = Date.now();
    const now = leaseNow();
    const guards = group.guards ?? [];
    for (const [i, { lock, owner, grant }] of guards.entries()) {
      const { record } = readLock(this.#tables.locks, keyId(lock), this.#epoch, now);
      if (!holdOf(record, owner, grant)) return { ok: false, why: "fenced", at: -1 - i };
    }
    const results: Result[] = [];
    for (const [at, op] of group.ops.entries()) {
      if (op.op === "get") results.push(op.stamped ? this.#stamped(op.key, wall) : this.#get(op.key, wall));
      else if (op.op === "inspect") {
        const { record } = readLock(this.#tables.locks, keyId(op.lock), this.#epoch, now);
        if (passes(record)) return undefined;
        results.push(stateOf(record, now));
      } else if (op.op === "check") {
        if (!this.#holds(op.key, op.if, wall))
          return { ok: false, why: "conflict", at, current: this.#get(op.key, wall) };
        results.push(undefined);
      }
    }
    return { ok: true, results };
  }

  #get(key: Key, wall: number): StoredRecord | undefined {
    const { records } = this.#tables;
    const bytes = records.getBinaryFast(keyId(key));
    if (bytes === undefined || isExpired(bytes, wall)) return undefined;
    return readRecord(key.key, bytes, records.lastSize);
  }

  #stamped(key: Key, wall: number): StoredRecord | undefined {
    const { records } = this.#tables;
    const bytes = records.getBinaryFast(keyId(key));
    if (bytes === undefined || isExpired(bytes, wall)) return undefined;
    const record = readRecord(key.key, bytes, records.lastSize);
    return stampsOf(bytes).every((stamp) => isCurrent(records, stamp.key, stamp.id, wall)) ? record : undefined;
  }

  #holds(key: Key, wanted: Condition, wall: number): boolean {
    const bytes = this.#tables.records.getBinaryFast(keyId(key));
    const id = bytes && !isExpired(bytes, wall) ? idOf(bytes) : undefined;
    return "absent" in wanted ? id === undefined : id === wanted.id;
  }

  /** In how many ms the lock under that key id may pass on by itself; 0 for now, Infinity for never. */
  turn(lock: string): number {
    const { root, locks } = this.#tables;
    root.resetReadTxn();
    try {
      const now = leaseNow();
      const { record } = readLock(locks, lock, this.#epoch, now);
      return passes(record) ? 0 : nextTurn(record) - now;
    } finally {
      root.resetReadTxn();
    }
  }

  /** A page of a space, in the order of the keys' bytes. The cursor is the last key looked at. */
  page(query: Query): Page {
    const { root, locks, records } = this.#tables;
    if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > 1_000) {
      throw new InvalidArgumentError("limit must be a whole number from 1 to 1000", { backend: "lmdb" });
    }
    const { id, kind } = query.space;
    const prefix = Buffer.from(id + query.prefix);
    const store = kind === "lock" || kind === "shared" || kind === "once" ? locks : records;
    // Behind a key come only longer ones: its bytes and a zero are where the next one may start.
    const after = query.cursor === undefined ? undefined : lastKey(query.cursor, prefix);
    const start = after ? Buffer.concat([after, Buffer.from([0])]) : prefix;
    const end = Buffer.concat([prefix, Buffer.from([255])]);
    root.resetReadTxn();
    try {
      const keys = [...store.getKeys({ start, end, limit: query.limit })];
      const found = keys
        .map((key) => this.#listed(store, key, Buffer.byteLength(id)))
        .filter((record) => record !== undefined);
      const last = keys.length < query.limit ? undefined : keys.at(-1);
      return { records: found, cursor: last?.toString("base64url") };
    } finally {
      root.resetReadTxn();
    }
  }

  #listed(store: LmdbStore, bytes: Buffer, space: number): ListedRecord | undefined {
    const key = bytes.toString("utf8", space);
    if (store === this.#tables.locks) {
      const { record } = readLock(store, bytes, this.#epoch, leaseNow());
      return record.holds.length + record.queue.length > 0 ? { key, id: "", value: "" } : undefined;
    }
    const found = store.getBinaryFast(bytes);
    if (!found || isExpired(found, Date.now())) return undefined;
    const record = readRecord(key, found, store.lastSize);
    const stamps = stampsOf(found);
    return stamps.length > 0 ? { ...record, stamps } : record;
  }
}

/** The key that a cursor of ours names. */
function lastKey(cursor: string, prefix: Buffer): Buffer {
  const key = Buffer.from(cursor, "base64url");
  if (key.toString("base64url") === cursor && key.subarray(0, prefix.length).equals(prefix)) return key;
  throw new InvalidArgumentError("cursor must be one that a page of the same space and prefix gave", {
    backend: "lmdb",
  });
}

/** Whether the live record under the key id `key` has the version `id`. */
export function isCurrent(records: LmdbStore, key: string, id: string, wall: number): boolean {
  const bytes = records.getBinaryFast(key);
  return bytes !== undefined && !isExpired(bytes, wall) && idOf(bytes) === id;
}

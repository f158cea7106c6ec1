import { keyId, type Key } from "../../../../src/base/keys.ts";
import type { SetOn, Shown, View, Written } from "../../../../src/backends/common/view.ts";
import { emptyLock, handOff, type HandedOff, type LockRecord } from "../../../../src/backends/common/lock-rules.ts";
import type { ListedRecord } from "../../../../src/port/index.ts";

interface Row {
  readonly written: Written;
  readonly end: number;
}

interface Floor {
  readonly grant: number;
  readonly n: number;
  readonly until: number;
}

/** Tables in reach, as plain as they can be, at a time that a test sets. Locks are copied, so one that is not saved stays as it was. */
export class MapView implements View<Key, Written, Row> {
  wall = 1_000_000;
  now = 500;
  renewsClaims = true;
  readonly rows = new Map<string, Row>();
  readonly floors = new Map<string, Floor>();
  readonly locks = new Map<string, LockRecord>();
  readonly granted: HandedOff[] = [];
  /** What was done to it, in order. */
  readonly writes: string[] = [];

  find(key: Key): Row | undefined {
    const row = this.rows.get(keyId(key));
    return row && row.end > this.wall ? row : undefined;
  }

  idOf(row: Row): string {
    return row.written.id;
  }

  endOf(row: Row): number {
    return row.end;
  }

  current(_: Key, row: Row): Row | undefined {
    return (row.written.stamps ?? []).every(({ key, id }) => this.find(key)?.written.id === id) ? row : undefined;
  }

  show({ key }: Key, { written: { id, value, stamps }, end }: Row, as?: Shown): ListedRecord {
    return {
      key,
      id,
      value: as?.keyOnly ? "" : value,
      ...(end === Infinity ? {} : { expiresAt: end }),
      ...(as?.stamped === "show" && stamps ? { stamps: stamps.map((s) => ({ key: keyId(s.key), id: s.id })) } : {}),
    };
  }

  put({ key, id, value, stamps }: SetOn<Key, Written>, end: number): void {
    this.writes.push(`put ${key.key}`);
    this.rows.set(keyId(key), { written: { id, value, stamps }, end });
  }

  touch(key: Key, end: number): void {
    this.writes.push(`touch ${key.key}`);
    this.rows.set(keyId(key), { ...(this.rows.get(keyId(key)) as Row), end });
  }

  remove(key: Key): void {
    if (this.rows.delete(keyId(key))) this.writes.push(`remove ${key.key}`);
  }

  floor(key: Key): Floor | undefined {
    const floor = this.floors.get(keyId(key));
    return floor && floor.until > this.now ? floor : undefined;
  }

  raiseFloor(key: Key, { grant, n }: { grant: number; n: number }, keepMs: number): void {
    this.writes.push(`floor ${key.key}`);
    const until = Math.max(this.floor(key)?.until ?? 0, this.now + keepMs);
    this.floors.set(keyId(key), { grant, n, until });
  }

  lock(key: Key): LockRecord {
    return structuredClone(this.locks.get(keyId(key)) ?? emptyLock());
  }

  leastGrant(): number {
    return this.wall * 1_000;
  }

  saveLock(key: Key, lock: LockRecord): void {
    this.writes.push(`lock ${key.key}`);
    this.granted.push(...handOff(lock, this.now, this.leastGrant()));
    this.locks.set(keyId(key), structuredClone(lock));
  }
}

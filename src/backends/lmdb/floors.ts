import { index } from "./expiry-index.ts";
import type { Transaction } from "./transaction.ts";

/** A fence floor as stored: grant, n, until (wall time), when the sweep looks at it. */
const floorBytes = 32;

/** A fence that is to be at or above the floor of `key`. */
export interface Fence {
  readonly grant: number;
  readonly n: number;
  readonly keepMs: number;
}

/** Raises the floor to `fence` when called; `undefined` if it is higher already. */
export function raiseFloor(tx: Transaction, key: Buffer, { grant, n, keepMs }: Fence): (() => undefined) | undefined {
  const { floors, expiry } = tx.tables;
  const bytes = floors.getBinaryFast(key);
  // A copy, since the view is good until the next read only.
  const old = bytes && Buffer.from(bytes.subarray(0, floorBytes));
  const live = old && old.readDoubleLE(16) > tx.wall;
  if (live) {
    const seen = old.readDoubleLE(0);
    if (grant < seen || (grant === seen && n < old.readDoubleLE(8))) return undefined;
  }
  return () => {
    const until = Math.max(tx.wall + keepMs, live ? old.readDoubleLE(16) : 0);
    let sweepAt = old ? old.readDoubleLE(24) : 0;
    if (sweepAt === 0) index(expiry, (sweepAt = until), "floor", key);
    const next = Buffer.allocUnsafe(floorBytes);
    [grant, n, until, sweepAt].forEach((value, i) => next.writeDoubleLE(value, i * 8));
    floors.put(key, next);
    return undefined;
  };
}

/** The sweep's part of a floor: removes it, or has it looked at again when it ends. */
export function sweepFloor(tx: Transaction, key: Buffer, at: number): void {
  const { floors, expiry } = tx.tables;
  const bytes = floors.getBinaryFast(key);
  const stored = bytes && Buffer.from(bytes.subarray(0, floorBytes));
  if (!stored || Math.ceil(stored.readDoubleLE(24)) !== at) return;
  const until = stored.readDoubleLE(16);
  if (until <= tx.wall) {
    floors.remove(key);
    return;
  }
  stored.writeDoubleLE(until, 24);
  floors.put(key, stored);
  index(expiry, until, "floor", key);
}

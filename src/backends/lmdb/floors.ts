import type { Fence } from "../common/view.ts";
import type { LmdbKey, LmdbStore } from "./driver.ts";
import { index } from "./expiry-index.ts";
import type { Databases } from "./databases.ts";

/** A fence floor as stored: grant, n, until (wall time), when the sweep looks at it. */
const floorBytes = 32;

/** The fence that is kept beside the record of `key` at `wall`. */
export function readFloor(floors: LmdbStore, key: LmdbKey, wall: number): Fence | undefined {
  const floor = stored(floors, key);
  if (floor === undefined || floor.readDoubleLE(16) <= wall) return undefined;
  return { grant: floor.readDoubleLE(0), n: floor.readDoubleLE(8) };
}

/** Remembers a fence for `keepMs`, or for as long as the one before was to be kept. */
export function writeFloor(
  { floors, expiry }: Databases,
  key: Buffer,
  fence: Fence,
  keepMs: number,
  wall: number,
): void {
  const old = stored(floors, key);
  const until = Math.max(wall + keepMs, old?.readDoubleLE(16) ?? 0);
  let sweepAt = old?.readDoubleLE(24) ?? 0;
  if (sweepAt === 0) index(expiry, (sweepAt = until), "floor", key);
  const next = Buffer.allocUnsafe(floorBytes);
  [fence.grant, fence.n, until, sweepAt].forEach((value, i) => next.writeDoubleLE(value, i * 8));
  floors.put(key, next);
}

/** The sweep's part of a floor: removes it, or has it looked at again when it ends. */
export function sweepFloor({ floors, expiry }: Databases, key: Buffer, at: number, wall: number): void {
  const floor = stored(floors, key);
  if (!floor || Math.ceil(floor.readDoubleLE(24)) !== at) return;
  const until = floor.readDoubleLE(16);
  if (until <= wall) {
    floors.remove(key);
    return;
  }
  floor.writeDoubleLE(until, 24);
  floors.put(key, floor);
  index(expiry, until, "floor", key);
}

/** A copy, since what the driver gives is good until the next read only. */
function stored(floors: LmdbStore, key: LmdbKey): Buffer | undefined {
  const bytes = floors.getBinaryFast(key);
  return bytes && Buffer.from(bytes.subarray(0, floorBytes));
}

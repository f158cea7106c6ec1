import type { Key } from "../../base/keys.ts";
import type { Operation } from "../../port/index.ts";
import type { Due, DueQueue } from "./due-queue.ts";
import { Table, type Placed, type Rows } from "./table.ts";

type FloorOperation = Extract<Operation, { op: "floor" }>;

/** The highest fence that a record has seen. Lives beside the record, whatever becomes of it. */
export interface Floor extends Placed, Due {
  readonly rows: Rows<Floor>;
  grant: number;
  n: number;
  /** When it is forgotten, by the monotonic clock. */
  until: number;
}

/** The floors of a server. */
export class Floors {
  readonly #table = new Table<Floor>();
  readonly #queue: DueQueue<Floor>;

  constructor(queue: DueQueue<Floor>) {
    this.#queue = queue;
  }

  /** Whether the fence of `op` is not below one that was seen. */
  admits(op: FloorOperation, now: number): boolean {
    const floor = this.#table.get(op.key);
    return floor === undefined || floor.until <= now || !isBelow(op, floor);
  }

  /** Remembers the fence of an admitted `op`. */
  raise(op: FloorOperation, now: number): void {
    const floor = this.#table.get(op.key) ?? this.#add(op.key);
    floor.grant = op.grant;
    floor.n = op.n;
    // An earlier call that asked for longer keeps what it was promised.
    floor.until = Math.max(floor.until, now + op.keepMs);
    this.#queue.schedule(floor, floor.until);
  }

  /** Called when a floor's time may have come. */
  visit(floor: Floor, now: number): void {
    if (floor.until <= now) this.#table.remove(floor.rows, floor.key);
    else this.#queue.schedule(floor, floor.until);
  }

  #add(key: Key): Floor {
    const rows = this.#table.rows(key.space);
    const floor: Floor = { key: key.key, seq: rows.nextSeq++, rows, grant: 0, n: 0, until: 0, queuedAt: Infinity };
    rows.items.set(key.key, floor);
    return floor;
  }
}

function isBelow(a: { grant: number; n: number }, b: { grant: number; n: number }): boolean {
  return a.grant < b.grant || (a.grant === b.grant && a.n < b.n);
}

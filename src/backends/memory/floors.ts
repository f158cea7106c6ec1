import type { Key } from "../../base/keys.ts";
import type { DueQueue, Scheduled } from "../common/due-queue.ts";
import type { Fence } from "../common/view.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

/** The highest fence that a record has seen. Lives beside the record, whatever becomes of it. */
export interface Floor extends Placed, Scheduled {
  readonly rows: Rows<Floor>;
  grant: number;
  n: number;
  /** When it is forgotten, by the monotonic clock. */
  until: number;
}

/** The floors of a server. */
export class Floors {
  readonly #table = new Table<Floor>();
  readonly #instant: Instant;
  readonly #queue: DueQueue<Floor>;

  constructor(instant: Instant, queue: DueQueue<Floor>) {
    this.#instant = instant;
    this.#queue = queue;
  }

  find(key: Key): Floor | undefined {
    const floor = this.#table.get(key);
    return floor !== undefined && floor.until > this.#instant.monotonic ? floor : undefined;
  }

  raise(key: Key, { grant, n }: Fence, keepMs: number): void {
    const floor = this.#table.get(key) ?? this.#add(key);
    floor.grant = grant;
    floor.n = n;
    // An earlier call that asked for longer keeps what it was promised.
    floor.until = Math.max(floor.until, this.#instant.monotonic + keepMs);
    this.#queue.schedule(floor, floor.until);
  }

  /** Whether no floor is kept. */
  isEmpty(): boolean {
    for (const { until } of this.#table.items()) if (until > this.#instant.monotonic) return false;
    return true;
  }

  /** Called when a floor's time may have come. */
  visit(floor: Floor, now: number): void {
    if (floor.until <= now) this.#table.remove(floor.rows, floor.key);
    else this.#queue.schedule(floor, floor.until);
  }

  #add({ space, key }: Key): Floor {
    const rows = this.#table.rows(space);
    const floor: Floor = { key, seq: rows.nextSeq++, rows, grant: 0, n: 0, until: 0, queuedAt: Infinity };
    rows.items.set(key, floor);
    return floor;
  }
}

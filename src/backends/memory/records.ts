import { keyId, type Key } from "../../base/keys.ts";
import type { Condition, ListedRecord, Operation, Payload, Stamp, StoredRecord } from "../../port/index.ts";
import type { Bus } from "./bus.ts";
import type { Due, DueQueue } from "./due-queue.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

type SetOperation = Extract<Operation, { op: "set" }>;

/** Where the record of a key is. It stays while its record is written anew. */
export interface Slot extends Placed, Due {
  readonly rows: Rows<Slot>;
  /** Never changed, only replaced, so that a read hands it out as it is. */
  record: StoredRecord;
  /** When the record ends, by the wall clock; `Infinity` if never. */
  until: number;
  stamps: readonly Stamp[] | undefined;
}

/** The records of a server. */
export class Records {
  readonly table = new Table<Slot>();
  readonly #instant: Instant;
  readonly #bus: Bus;
  readonly #queue: DueQueue<Slot>;

  constructor(instant: Instant, bus: Bus, queue: DueQueue<Slot>) {
    this.#instant = instant;
    this.#bus = bus;
    this.#queue = queue;
  }

  /** The record as a caller may have it: bytes are the caller's own copy. */
  read(key: Key, stamped: boolean): StoredRecord | undefined {
    const slot = this.#live(key);
    if (slot === undefined || (stamped && slot.stamps !== undefined && !this.#current(slot.stamps))) return undefined;
    return handOut(slot.record);
  }

  /** Whether the record of `key` is what `condition` asks for. */
  holds(key: Key, condition: Condition): boolean {
    const slot = this.#live(key);
    return "id" in condition ? slot !== undefined && slot.record.id === condition.id : slot === undefined;
  }

  write(op: SetOperation): void {
    const { space, key } = op.key;
    const rows = this.table.rows(space);
    let slot = rows.items.get(key);
    const until =
      op.ttl === undefined
        ? Infinity
        : op.ttl !== "keep"
          ? this.#instant.wall + op.ttl
          : slot !== undefined && this.#isLive(slot)
            ? slot.until
            : Infinity;
    const record: StoredRecord = {
      key,
      id: op.id,
      value: ownCopy(op.value),
      expiresAt: until === Infinity ? undefined : until,
    };
    const stamps = op.stamps === undefined || op.stamps.length === 0 ? undefined : [...op.stamps];
    if (slot === undefined) {
      slot = { key, seq: rows.nextSeq++, rows, record, until, stamps, queuedAt: Infinity };
      rows.items.set(key, slot);
    } else {
      slot.record = record;
      slot.until = until;
      slot.stamps = stamps;
    }
    if (until !== Infinity) this.#queue.schedule(slot, until);
    else if (slot.queuedAt !== Infinity) this.#queue.cancel(slot);
    this.#bus.changed(space, key);
  }

  /** Whether there was a record. */
  delete(key: Key): boolean {
    const slot = this.table.get(key);
    if (slot === undefined) return false;
    const live = this.#isLive(slot);
    this.#remove(slot);
    return live;
  }

  /** Called when a slot's time may have come. */
  visit(slot: Slot, wall: number): void {
    if (slot.until <= wall) this.#remove(slot);
    else if (slot.until !== Infinity) this.#queue.schedule(slot, slot.until);
  }

  /** Whether the slot's record has not expired at the present instant. */
  #isLive(slot: Slot): boolean {
    return slot.until === Infinity || slot.until > this.#instant.wall;
  }

  #live(key: Key): Slot | undefined {
    const slot = this.table.get(key);
    return slot !== undefined && this.#isLive(slot) ? slot : undefined;
  }

  #current(stamps: readonly Stamp[]): boolean {
    for (const stamp of stamps) {
      if (this.#live(stamp.key)?.record.id !== stamp.id) return false;
    }
    return true;
  }

  #remove(slot: Slot): void {
    this.table.remove(slot.rows, slot.key);
    this.#queue.cancel(slot);
    this.#bus.changed(slot.rows.space, slot.key);
  }
}

/** A plain `Uint8Array` of its own, whatever kind of bytes was given: a Buffer's `slice` would share its memory. */
function ownCopy(value: Payload): Payload {
  return typeof value === "string" ? value : new Uint8Array(value);
}

/** The record of a slot as a page shows it. */
export function list({ record, stamps }: Slot): ListedRecord {
  const listed = handOut(record);
  return stamps ? { ...listed, stamps: stamps.map(({ key, id }) => ({ key: keyId(key), id })) } : listed;
}

function handOut(record: StoredRecord): StoredRecord {
  if (typeof record.value === "string") return record;
  return { key: record.key, id: record.id, value: new Uint8Array(record.value), expiresAt: record.expiresAt };
}

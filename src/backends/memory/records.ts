import { keyId, type Key } from "../../base/keys.ts";
import type { Condition, ListedRecord, Operation, Payload, Stamp, StoredRecord, Ttl } from "../../port/index.ts";
import type { Bus } from "./bus.ts";
import type { Due, DueQueue } from "./due-queue.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

type GetOperation = Extract<Operation, { op: "get" }>;
type SetOperation = Extract<Operation, { op: "set" }>;
type TouchOperation = Extract<Operation, { op: "touch" }>;
type DeleteOperation = Extract<Operation, { op: "delete" }>;

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
  read(key: Key): StoredRecord | undefined {
    const slot = this.#live(key);
    return slot && handOut(slot.record);
  }

  get({ key, stamped, keyOnly }: GetOperation): StoredRecord | undefined {
    const slot = this.#shown(key, stamped !== undefined && stamped !== false);
    if (slot === undefined) return undefined;
    const record = keyOnly ? withoutValue(slot.record) : handOut(slot.record);
    return stamped === "show" ? withStamps(record, slot.stamps) : record;
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
      op.ttl === "keep" ? (slot !== undefined && this.#isLive(slot) ? slot.until : Infinity) : this.#endOf(op.ttl);
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
    this.#schedule(slot);
    this.#bus.changed(space, key);
  }

  /** Whether there was a record, which has another end now. */
  touch({ key, ttl, stamped }: TouchOperation): boolean {
    const slot = this.#shown(key, stamped === true);
    if (slot === undefined) return false;
    slot.until = this.#endOf(ttl);
    slot.record = { ...slot.record, expiresAt: slot.until === Infinity ? undefined : slot.until };
    this.#schedule(slot);
    this.#bus.changed(slot.rows.space, slot.key);
    return true;
  }

  /** Whether there was a record, or with `take` the record. */
  delete({ key, stamped, take }: DeleteOperation): boolean | StoredRecord | undefined {
    const slot = this.table.get(key);
    if (slot === undefined) return take ? undefined : false;
    const shown = this.#shown(key, stamped === true);
    this.#remove(slot);
    return take ? shown && handOut(shown.record) : shown !== undefined;
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

  /** When what is given `ttl` now ends. */
  #endOf(ttl: Exclude<Ttl, "keep"> | undefined): number {
    if (ttl === undefined) return Infinity;
    return typeof ttl === "number" ? this.#instant.wall + ttl : ttl.at;
  }

  /** Has the slot looked at when its record ends. */
  #schedule(slot: Slot): void {
    if (slot.until !== Infinity) this.#queue.schedule(slot, slot.until);
    else if (slot.queuedAt !== Infinity) this.#queue.cancel(slot);
  }

  /** The live slot, unless `stamped` and a stamp of it is not current. */
  #shown(key: Key, stamped: boolean): Slot | undefined {
    const slot = this.#live(key);
    return stamped && slot?.stamps !== undefined && !this.#current(slot.stamps) ? undefined : slot;
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
export function list({ record, stamps }: Slot, keysOnly: boolean | undefined): ListedRecord {
  return withStamps(keysOnly ? withoutValue(record) : handOut(record), stamps);
}

function withStamps(record: StoredRecord, stamps: readonly Stamp[] | undefined): ListedRecord {
  return stamps ? { ...record, stamps: stamps.map(({ key, id }) => ({ key: keyId(key), id })) } : record;
}

function withoutValue(record: StoredRecord): StoredRecord {
  return { ...record, value: "" };
}

function handOut(record: StoredRecord): StoredRecord {
  if (typeof record.value === "string") return record;
  return { key: record.key, id: record.id, value: new Uint8Array(record.value), expiresAt: record.expiresAt };
}

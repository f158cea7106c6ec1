import { keyId, type Key } from "../../base/keys.ts";
import type { ListedRecord, Payload, Stamp, StoredRecord } from "../../port/index.ts";
import type { Bus } from "../common/bus.ts";
import type { DueQueue, Scheduled } from "../common/due-queue.ts";
import type { SetOn, Shown, Written } from "../common/view.ts";
import type { Instant } from "./instant.ts";
import { Table, type Placed, type Rows } from "./table.ts";

/** Where the record of a key is. It stays while its record is written anew. */
export interface Slot extends Placed, Scheduled {
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

  /** The slot whose record has not expired at the present instant. */
  find(key: Key): Slot | undefined {
    const slot = this.table.get(key);
    return slot !== undefined && (slot.until === Infinity || slot.until > this.#instant.wall) ? slot : undefined;
  }

  /** Whether each of the slot's stamps is current. */
  isCurrent({ stamps }: Slot): boolean {
    if (stamps === undefined) return true;
    for (const stamp of stamps) {
      if (this.find(stamp.key)?.record.id !== stamp.id) return false;
    }
    return true;
  }

  put({ key: { space, key }, id, value, stamps: given }: SetOn<Key, Written>, until: number): void {
    const rows = this.table.rows(space);
    let slot = rows.items.get(key);
    const record: StoredRecord = { key, id, value: ownCopy(value), expiresAt: until === Infinity ? undefined : until };
    const stamps = given === undefined || given.length === 0 ? undefined : [...given];
    if (slot === undefined) {
      slot = { key, seq: rows.nextSeq++, rows, record, until, stamps, queuedAt: Infinity };
      rows.items.set(key, slot);
    } else {
      slot.record = record;
      slot.until = until;
      slot.stamps = stamps;
    }
    this.#written(slot);
  }

  touch(key: Key, until: number): void {
    const slot = this.table.get(key) as Slot;
    slot.until = until;
    slot.record = { ...slot.record, expiresAt: until === Infinity ? undefined : until };
    this.#written(slot);
  }

  remove(key: Key): void {
    const slot = this.table.get(key);
    if (slot !== undefined) this.#remove(slot);
  }

  /** Whether no record is there. */
  isEmpty(): boolean {
    for (const { until } of this.table.items()) if (until > this.#instant.wall) return false;
    return true;
  }

  /** Called when a slot's time may have come. */
  visit(slot: Slot, wall: number): void {
    if (slot.until <= wall) this.#remove(slot);
    else if (slot.until !== Infinity) this.#queue.schedule(slot, slot.until);
  }

  #written(slot: Slot): void {
    if (slot.until !== Infinity) this.#queue.schedule(slot, slot.until);
    else if (slot.queuedAt !== Infinity) this.#queue.cancel(slot);
    this.#bus.changed(slot.rows.space, slot.key);
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

/** The record of a slot as a caller may have it: bytes are the caller's own copy. */
export function show({ record, stamps }: Slot, as: Shown | undefined): ListedRecord {
  let shown: ListedRecord = record;
  if (as?.keyOnly) shown = { ...record, value: "" };
  else if (typeof record.value !== "string") shown = { ...record, value: new Uint8Array(record.value) };
  if (as?.stamped !== "show" || stamps === undefined) return shown;
  return { ...shown, stamps: stamps.map(({ key, id }) => ({ key: keyId(key), id })) };
}

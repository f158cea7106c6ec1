import type { Codec, Entry, StateStore } from "../entries/index.ts";
import type { Base } from "../state/commit.ts";

/** Records and characters of values kept in a process, before the older half is dropped. */
const mostRecords = 4096;
const mostChars = 4 * 1024 * 1024;

type Payload = string | Uint8Array;

/** A commit that is still open: what it has read or written must be sent before another builds on it. */
export interface OpenCommit {
  seal(): void;
}

/**
 * A record as this process believes it to be. Belief is enough: every commit checks the versions of what its items
 * read. A payload is kept, not a value, so that no handler sees what another does to its copy.
 */
export class CachedRecord {
  readonly store: StateStore<unknown>;
  readonly key: string;
  /** `undefined`: there is no record. */
  payload: Payload | undefined;
  /** What to check: the stored version, or that of our own write on its way; `undefined`: it was not read. */
  version: Base;
  /** Raised by every change: a handler's read is current while it is the same. */
  revision = 0;
  /**
   * Attempts and commits that hold it. While there are any, this object stays the only one of its key: a second one
   * would be written beside it, and one of the two changes lost.
   */
  pins = 0;
  /** It was forgotten while it was held: what builds on it counts for nothing. */
  dropped = false;
  /** The open commit that changed it. */
  writer: OpenCommit | undefined = undefined;
  /** Open commits that read it. */
  readers: OpenCommit[] = [];

  constructor(store: StateStore<unknown>, key: string, payload: Payload | undefined, version: Base) {
    this.store = store;
    this.key = key;
    this.payload = payload;
    this.version = version;
  }
}

/** Whether a record can be read: its version is known, or will be with a commit that is still open. */
export function isKnown(record: CachedRecord): boolean {
  return record.version !== undefined || record.writer !== undefined;
}

/** The records of one store. */
export interface StoreRecords {
  readonly store: StateStore<unknown>;
  young: Map<string, CachedRecord>;
  old: Map<string, CachedRecord>;
  readonly loading: Map<string, Promise<void>>;
}

/** Records that handlers have read or written, in two generations: what is not used while one fills up is dropped. */
export class Records {
  readonly #byStore = new WeakMap<StateStore<unknown>, StoreRecords>();
  /** Those of them that have records. A store that nobody uses any more, under whatever name, leaves nothing here. */
  readonly #filled = new Set<StoreRecords>();
  readonly #codec: Codec;
  #count = 0;
  #chars = 0;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** The records of `store`. */
  of(store: StateStore<unknown>): StoreRecords {
    let records = this.#byStore.get(store);
    if (!records) this.#byStore.set(store, (records = { store, young: new Map(), old: new Map(), loading: new Map() }));
    return records;
  }

  /** Stores of which there are records here. */
  get stores(): number {
    return this.#filled.size;
  }

  /** The record if it is here. */
  peek(records: StoreRecords, key: string): CachedRecord | undefined {
    const record = records.young.get(key);
    if (record !== undefined) return record;
    const older = records.old.get(key);
    if (older !== undefined) {
      records.old.delete(key);
      this.#keep(records, older);
    }
    return older;
  }

  /** Loads a record that is not here. Whoever needs it looks again then: it may have gone already. */
  load(records: StoreRecords, key: string): Promise<void> {
    let loading = records.loading.get(key);
    if (!loading) {
      loading = this.#load(records, key).finally(() => records.loading.delete(key));
      records.loading.set(key, loading);
    }
    return loading;
  }

  /**
   * Forgets a record, so that it is loaded anew. Handlers that have read it will run again; open commits that hold it
   * are sent, and the store decides about them.
   */
  drop(record: CachedRecord): void {
    record.writer?.seal();
    for (const reader of record.readers.slice()) reader.seal();
    const records = this.of(record.store);
    record.dropped = true;
    if (records.young.get(record.key) === record) records.young.delete(record.key);
    if (records.old.get(record.key) === record) records.old.delete(record.key);
  }

  /** Forgets what nobody holds: others may have changed any of it. */
  forget(): void {
    for (const records of this.#filled) {
      for (const generation of [records.young, records.old]) {
        for (const [key, { pins }] of generation) if (pins === 0) generation.delete(key);
      }
    }
  }

  /** A copy of its own for each caller. */
  decode(payload: Payload | undefined): unknown {
    return payload === undefined ? undefined : this.#codec.decode(payload);
  }

  /** Throws UnsupportedValueError for a value that would not come back as it is. */
  encode(value: unknown): Payload {
    return this.#codec.encode(value);
  }

  async #load(records: StoreRecords, key: string): Promise<void> {
    const entry: Entry<unknown> | undefined = await records.store.loadEntry(key);
    const record = this.forWrite(records, key);
    if (isKnown(record)) return; // written meanwhile
    record.payload = entry && this.#codec.encode(entry.value);
    record.version = entry?.version ?? null;
    this.grew(record.payload?.length ?? 0);
  }

  /** Counts characters that a write added. */
  grew(chars: number): void {
    this.#chars += chars;
    if (this.#chars > mostChars) this.#age();
  }

  /** The record to write to without having read it. */
  forWrite(records: StoreRecords, key: string): CachedRecord {
    let record = this.peek(records, key);
    if (!record) this.#keep(records, (record = new CachedRecord(records.store, key, undefined, undefined)));
    return record;
  }

  #keep(records: StoreRecords, record: CachedRecord): void {
    this.#filled.add(records);
    records.young.set(record.key, record);
    this.#count++;
    this.#chars += record.key.length + (record.payload?.length ?? 0);
    if (this.#count > mostRecords) this.#age();
  }

  #age(): void {
    this.#count = this.#chars = 0;
    for (const records of this.#filled) {
      const pinned = [...records.old.values()].filter((record) => record.pins > 0);
      records.old = records.young;
      records.young = new Map(pinned.map((record) => [record.key, record]));
      this.#count += pinned.length;
      if (records.old.size === 0 && pinned.length === 0) this.#filled.delete(records);
    }
  }
}

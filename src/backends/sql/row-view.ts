import { keyId, type Key } from "../../base/keys.ts";
import type { ListedRecord } from "../../port/index.ts";
import type { LockRecord } from "../common/lock-rules.ts";
import type { Fence, SetOn, Shown, View, Written } from "../common/view.ts";
import type {
  Clock,
  Dialect,
  EndRow,
  FloorRow,
  LockRow,
  RecordRow,
  SavedFloor,
  SavedLock,
  SetRow,
  Table,
} from "./dialect.ts";
import { RowLocks, type Granted } from "./row-locks.ts";
import { shownStamps, stampsOf, stampsText } from "./stamps.ts";
import { formatOf } from "./values.ts";

/** What the groups of a view have done, for those who are to be told. */
export interface News {
  readonly granted: readonly Granted[];
  /** Locks that were looked at or changed, as they are now. */
  readonly locks: readonly { readonly key: Key; readonly lock: LockRecord }[];
  /** Of the server's clock, in ms. */
  readonly now: number;
}

/** Thrown where a group asks for what its rows do not tell: it needs a transaction of its own. Made once. */
export const needsRead = new Error("needs a read");

/** What groups want written, by `keyId`. */
export interface Changes {
  readonly sets: ReadonlyMap<string, SetRow>;
  readonly ends: ReadonlyMap<string, EndRow>;
  readonly removed: ReadonlyMap<string, Key>;
  readonly locks: ReadonlyMap<string, SavedLock>;
  readonly floors: ReadonlyMap<string, SavedFloor>;
}

type Record = Pick<RecordRow, "version" | "value" | "end" | "stamps" | "isCurrent">;

/** Rows that nobody else can change, as records, floors and locks, and what groups make of them. */
export class RowView implements View<Key, Written, Record> {
  readonly renewsClaims = false;
  readonly wholeClaim: number | undefined;
  wall = 0;
  #forgotten = 0;
  readonly #locks: RowLocks;
  readonly #loaded: { readonly [T in Table]: Map<string, RowOf[T]> };
  /** Records that stamps may name. */
  readonly #stamps = new Map<string, string>();
  /** What was written, undefined for a record that was removed. */
  readonly #written = new Map<string, { readonly key: Key; readonly row: Record | undefined }>();
  readonly #sets = new Map<string, SetRow>();
  readonly #ends = new Map<string, EndRow>();
  readonly #removed = new Map<string, Key>();
  readonly #floors = new Map<string, SavedFloor>();

  constructor(dialect: Pick<Dialect, "name" | "look">) {
    // Who is not told of a grant asks so often that a claim is renewed in time.
    this.wholeClaim = dialect.look === undefined ? undefined : 0.5;
    this.#locks = new RowLocks(dialect.name);
    this.#loaded = { records: new Map(), locks: this.#locks.rows, floors: new Map() };
  }

  add<T extends Table>(table: T, rows: readonly RowOf[T][]): void {
    const loaded: Map<string, RowOf[T]> = this.#loaded[table];
    for (const row of rows) loaded.set(row.id, row);
  }

  /** Records by which `current` tells whether stamps are current. */
  addStamps(rows: readonly RecordRow[]): void {
    for (const { id, version } of rows) this.#stamps.set(id, version);
  }

  /** What another statement says of whether records' stamps are current; of those that it left out, they are not. */
  addCurrent(keys: Iterable<string>, rows: readonly RecordRow[]): void {
    const current = new Set(rows.flatMap(({ id, isCurrent }) => (isCurrent ? [id] : [])));
    for (const id of keys) {
      const row = this.#loaded.records.get(id);
      if (row) this.#loaded.records.set(id, { ...row, isCurrent: current.has(id) });
    }
  }

  setClock({ micros, forgotten }: Clock): void {
    this.wall = micros / 1_000;
    this.#forgotten = forgotten;
  }

  has(table: Table, id: string): boolean {
    return this.#loaded[table].has(id);
  }

  /** The stamps that decide whether a record is current. */
  stampsOf(id: string): readonly Key[] {
    return stampsOf(this.#loaded.records.get(id)?.stamps).flatMap(({ key }) => (key ? [key] : []));
  }

  get now(): number {
    return this.wall;
  }

  find(key: Key): Record | undefined {
    const id = keyId(key);
    const written = this.#written.get(id);
    const row = written ? written.row : this.#loaded.records.get(id);
    return row !== undefined && row.end > this.wall && !("isEmpty" in row && row.isEmpty) ? row : undefined;
  }

  idOf({ version }: Record): string {
    return version;
  }

  endOf({ end }: Record): number {
    return end;
  }

  /** Throws {@link needsRead} for stamps that a group of this view has written. */
  current(key: Key, found: Record): Record | undefined {
    const { isCurrent, stamps } = found;
    if (stamps !== undefined && this.#sets.has(keyId(key))) throw needsRead;
    if (isCurrent !== undefined) return isCurrent ? found : undefined;
    const current = stampsOf(stamps).every((one) => one.key && this.#stamps.get(keyId(one.key)) === one.version);
    return current ? found : undefined;
  }

  show({ key }: Key, { version, value, end, stamps }: Record, as?: Shown): ListedRecord {
    const own = as?.keyOnly ? "" : typeof value === "string" ? value : new Uint8Array(value);
    const record =
      end === Infinity ? { key, id: version, value: own } : { key, id: version, value: own, expiresAt: end };
    return as?.stamped === "show" && stamps !== undefined ? { ...record, stamps: shownStamps(stamps) } : record;
  }

  put({ key, id: version, value, stamps: given }: SetOn<Key, Written>, end: number): void {
    const id = keyId(key);
    const stamps = stampsText(given);
    const at = wholeEnd(end);
    const format = formatOf(key.space, value);
    this.#written.set(id, { key, row: { version, value, end: at, stamps, isCurrent: undefined } });
    this.#sets.set(id, { key, version, format, value, end: at === Infinity ? undefined : { at }, stamps });
    this.#ends.delete(id);
    this.#removed.delete(id);
  }

  touch(key: Key, given: number): void {
    const id = keyId(key);
    const row = this.find(key);
    if (!row) return;
    const end = wholeEnd(given);
    this.#written.set(id, { key, row: { ...row, end } });
    const set = this.#sets.get(id);
    if (set) this.#sets.set(id, { ...set, end: end === Infinity ? undefined : { at: end } });
    else this.#ends.set(id, { key, end });
  }

  remove(key: Key): void {
    const id = keyId(key);
    const row = this.#loaded.records.get(id);
    if (!row || row.isEmpty) return;
    this.#written.set(id, { key, row: undefined });
    this.#sets.delete(id);
    this.#ends.delete(id);
    this.#removed.set(id, key);
  }

  floor(key: Key): Fence | undefined {
    const id = keyId(key);
    const saved = this.#floors.get(id);
    if (saved) return saved;
    const row = this.#loaded.floors.get(id);
    return row && row.grant > 0 && row.until > this.wall ? row : undefined;
  }

  raiseFloor(key: Key, { grant, n }: Fence, keepMs: number): void {
    const id = keyId(key);
    const before = this.#floors.get(id)?.keptUntil ?? this.#loaded.floors.get(id)?.until ?? 0;
    this.#floors.set(id, { key, grant, n, keptUntil: Math.max(before, wholeEnd(this.wall + keepMs)) });
  }

  lock(key: Key): LockRecord {
    return this.#locks.get(key);
  }

  leastGrant(): number {
    return Math.max(Math.floor(this.wall * 1_000), this.#forgotten + 1);
  }

  saveLock(key: Key, lock: LockRecord): void {
    this.#locks.save(key, lock, this.wall, this.leastGrant());
  }

  /** Locks that somebody holds now who did not. */
  newlyHeld(): readonly { readonly key: Key }[] {
    return this.#locks.newlyHeld();
  }

  get news(): News {
    return { granted: this.#locks.granted, locks: this.#locks.all, now: this.wall };
  }

  /** Whether groups have changed anything. */
  get hasChanged(): boolean {
    return this.#written.size > 0 || this.#floors.size > 0 || this.#locks.hasSaved;
  }

  /** What is to be written. */
  get changes(): Changes {
    const locks = this.#locks.saved(this.wall);
    return { sets: this.#sets, ends: this.#ends, removed: this.#removed, floors: this.#floors, locks };
  }

  /** Whether the row of a key is there to be locked and nothing else. */
  isEmpty(table: Table, id: string): boolean {
    const { records, locks, floors } = this.#loaded;
    if (table === "records") return records.get(id)?.isEmpty === true;
    return table === "locks" ? locks.get(id)?.body === "" : floors.get(id)?.grant === 0;
  }
}

interface RowOf {
  records: RecordRow;
  locks: LockRow;
  floors: FloorRow;
}

/** Whole ms that a server's integer holds. */
function wholeEnd(end: number): number {
  return end === Infinity ? end : Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Math.ceil(end), Number.MAX_SAFE_INTEGER));
}

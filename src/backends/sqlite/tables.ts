import type { Key } from "../../base/keys.ts";
import type { ListedRecord } from "../../port/index.ts";
import type { Fence, SetOn, Shown } from "../common/view.ts";
import { partsOf } from "../machine/record.ts";
import type { KeyRange, Listed, Log, Meta, ReadableTables, Swept, Tables, WritableTables } from "../machine/tables.ts";
import type { WiredKey, WiredRecord } from "../machine/wire.ts";
import {
  columnsOf,
  shownRecord,
  stampsIn,
  textColumn,
  textOf,
  valueColumn,
  withStamps,
  type RecordRow,
} from "./columns.ts";
import type { Connection, Row, Statement, Value } from "./driver.ts";
import { isBusy } from "./failures.ts";
import { pastPrefix } from "./ranges.ts";
import type { SqliteNames } from "./schema.ts";
import { SqliteLog, SqliteMeta } from "./texts.ts";

const at = "WHERE space = ? AND key = ?";

/** A connection, and what is to be known of it and of the tables. */
export interface Opened {
  readonly connection: Connection;
  readonly names: SqliteNames;
  /** Whether the driver gives a text beyond a NUL in it. */
  readonly isWhole: boolean;
}

/** The space of a key, and the key in it. */
type Placed = readonly [space: string, key: string];

/** What both threads read. */
abstract class SqliteTables<K> implements Tables<K, RecordRow> {
  readonly meta: Meta;
  readonly log: Log;
  protected readonly connection: Connection;
  readonly #head: Statement;
  readonly #whole: Statement;
  readonly #floor: Statement;
  readonly #lock: Statement;

  constructor({ connection, names, isWhole }: Opened) {
    this.connection = connection;
    const text = textColumn(isWhole);
    const head = `SELECT ${text("version")}, expires_at, stamps`;
    this.#head = connection.prepare(`${head} FROM ${names.records} ${at}`);
    this.#whole = connection.prepare(`${head}, ${valueColumn(isWhole)} FROM ${names.records} ${at}`);
    this.#floor = connection.prepare(`SELECT grant_no, n FROM ${names.floors} ${at} AND kept_until > ?`);
    this.#lock = connection.prepare(`SELECT body FROM ${names.locks} ${at}`);
    this.meta = new SqliteMeta(connection, names.meta);
    this.log = new SqliteLog(connection, names.log);
  }

  protected abstract place(key: K): Placed;
  /** Whether most who find a record ask for its value. */
  protected abstract readonly findsWhole: boolean;

  find(key: K, wall: number): RecordRow | undefined {
    return this.#find(this.findsWhole ? this.#whole : this.#head, this.place(key), wall);
  }

  #find(statement: Statement, place: Placed, wall: number): RecordRow | undefined {
    const row = statement.get(...place) as RecordRow | undefined;
    return row === undefined || (row.expires_at !== null && row.expires_at <= wall) ? undefined : row;
  }

  idOf({ version }: RecordRow): string {
    return textOf(version);
  }

  endOf({ expires_at: end }: RecordRow): number {
    return end ?? Infinity;
  }

  current(_key: K, found: RecordRow, wall: number): RecordRow | undefined {
    for (const [space, key, version] of stampsIn(found.stamps)) {
      const row = this.#find(this.#head, [space, key], wall);
      if (row === undefined || textOf(row.version) !== version) return undefined;
    }
    return found;
  }

  show(key: K, found: RecordRow, as?: Shown): ListedRecord {
    const place = this.place(key);
    const row = as?.keyOnly || this.findsWhole ? found : (this.#whole.get(...place) as RecordRow);
    const record = shownRecord(place[1], row, !as?.keyOnly);
    return as?.stamped === "show" ? withStamps(record, row) : record;
  }

  floor(key: K, wall: number): Fence | undefined {
    const row = this.#floor.get(...this.place(key), wall);
    return row && { grant: row["grant_no"] as number, n: row["n"] as number };
  }

  lock(key: K): string | undefined {
    return this.#lock.get(...this.place(key))?.["body"] as string | undefined;
  }
}

/** In the caller's thread. A statement by itself is a snapshot; several are in a transaction that only reads. */
export class ReadTables extends SqliteTables<Key> implements ReadableTables<RecordRow> {
  protected readonly findsWhole = true;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #lists: readonly [keys: Statement, values: Statement];
  readonly #lockKeys: Statement;
  readonly #due: Statement;
  #isOpen = true;
  #hasBegun = false;

  constructor(opened: Opened) {
    super(opened);
    const { connection, names, isWhole } = opened;
    const text = textColumn(isWhole);
    const range = "WHERE space = ? AND key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?";
    const columns = `SELECT ${text("key")}, ${text("version")}, expires_at, stamps`;
    this.#begin = connection.prepare("BEGIN");
    this.#commit = connection.prepare("COMMIT");
    this.#lists = [
      connection.prepare(`${columns} FROM ${names.records} ${range}`),
      connection.prepare(`${columns}, ${valueColumn(isWhole)} FROM ${names.records} ${range}`),
    ];
    this.#lockKeys = connection.prepare(`SELECT ${text("key")} FROM ${names.locks} ${range}`);
    const some = (table: string, column: string): string =>
      `(SELECT count(*) FROM (SELECT 1 FROM ${table} WHERE ${column} <= ? LIMIT ?))`;
    const { records, locks, floors } = names;
    const parts = [some(records, "expires_at"), some(locks, "kept_until"), some(floors, "kept_until")];
    this.#due = connection.prepare(`SELECT ${parts.join(" + ")} AS due`);
  }

  begin(single: boolean): void {
    if (single) return;
    this.#begin.run();
    this.#hasBegun = true;
  }

  end(): void {
    if (!this.#hasBegun) return;
    this.#hasBegun = false;
    this.#commit.run();
  }

  list(range: KeyRange, wall: number, values: boolean): Listed {
    const rows = this.#lists[values ? 1 : 0].all(...boundsOf(range)) as readonly RecordRow[];
    const live = rows.filter(({ expires_at: end }) => end === null || end > wall);
    const records = live.map((row) => withStamps(shownRecord(keyOf(row), row, values), row));
    const last = rows.at(-1);
    return { records, last: last === undefined || rows.length < range.limit ? undefined : keyOf(last) };
  }

  lockKeys(range: KeyRange): readonly string[] {
    return this.#lockKeys.all(...boundsOf(range)).map(keyOf);
  }

  due(wall: number, limit: number): number {
    const found = this.#due.get(wall, limit, wall, limit, wall, limit)?.["due"] as number;
    return Math.min(found, limit);
  }

  isBusy(error: unknown): boolean {
    return isBusy(error);
  }

  close(): Promise<void> {
    if (this.#isOpen) this.connection.close();
    this.#isOpen = false;
    return Promise.resolve();
  }

  protected place({ space, key }: Key): Placed {
    return [space.id, key];
  }
}

function keyOf(row: { readonly [column: string]: unknown }): string {
  return textOf(row["key"] as string | Uint8Array);
}

/** Bytes come behind every text. */
const pastText = new Uint8Array([0]);

function boundsOf({ space, prefix, after = "", limit }: KeyRange): readonly Value[] {
  return [space, prefix, after, pastPrefix(prefix) ?? pastText, limit];
}

/** In the commit thread, within a transaction. */
export class WriteTables extends SqliteTables<WiredKey> implements WritableTables<RecordRow> {
  protected readonly findsWhole = false;
  readonly #put: Statement;
  readonly #touch: Statement;
  readonly #remove: Statement;
  readonly #raiseFloor: Statement;
  readonly #putLock: Statement;
  readonly #updateLock: Statement;
  readonly #removeLock: Statement;
  readonly #sweepRecords: Statement;
  readonly #dueLocks: Statement;
  readonly #sweepFloors: Statement;

  constructor(opened: Opened) {
    super(opened);
    const { connection, names, isWhole } = opened;
    const text = textColumn(isWhole);
    const { records, locks, floors } = names;
    const prepare = (sql: string): Statement => connection.prepare(sql);
    const columns = "version, format, value, expires_at, stamps";
    const same = (names_: string): string => names_.replace(/\w+/g, "$& = excluded.$&");
    this.#put = prepare(
      `INSERT INTO ${records} (space, key, ${columns}) VALUES (?, ?, ?, ?, ?, ?, ?) ` +
        `ON CONFLICT DO UPDATE SET ${same(columns)}`,
    );
    this.#touch = prepare(`UPDATE ${records} SET expires_at = ? ${at}`);
    this.#remove = prepare(`DELETE FROM ${records} ${at}`);
    this.#raiseFloor = prepare(
      `INSERT INTO ${floors} AS f (space, key, grant_no, n, kept_until) VALUES (?, ?, ?, ?, ?) ` +
        `ON CONFLICT DO UPDATE SET ${same("grant_no, n")}, kept_until = max(f.kept_until, excluded.kept_until)`,
    );
    this.#putLock = prepare(
      `INSERT INTO ${locks} (space, key, body, kept_until) VALUES (?, ?, ?, ?) ` +
        `ON CONFLICT DO UPDATE SET ${same("body, kept_until")}`,
    );
    this.#updateLock = prepare(`UPDATE ${locks} SET body = ? ${at}`);
    this.#removeLock = prepare(`DELETE FROM ${locks} ${at}`);
    const id = `${text("space")}, ${text("key")}`;
    const some = `SELECT rowid FROM ${records} WHERE expires_at <= ? LIMIT ?`;
    this.#sweepRecords = prepare(`DELETE FROM ${records} WHERE rowid IN (${some}) RETURNING ${id}`);
    this.#dueLocks = prepare(`SELECT ${id}, kept_until FROM ${locks} WHERE kept_until <= ? LIMIT ?`);
    this.#sweepFloors = prepare(
      `DELETE FROM ${floors} WHERE (space, key) IN ` +
        `(SELECT space, key FROM ${floors} WHERE kept_until <= ? LIMIT ?)`,
    );
  }

  put({ key, record }: SetOn<WiredKey, WiredRecord>, end: number): void {
    const place = this.place(key);
    const parts = partsOf(record);
    const [format, value, stamps] = columnsOf(place[0], parts);
    this.#put.run(...place, parts.id, format, value, endColumn(end), stamps);
  }

  touch(key: WiredKey, end: number): void {
    this.#touch.run(endColumn(end), ...this.place(key));
  }

  remove(key: WiredKey): boolean {
    return Number(this.#remove.run(...this.place(key)).changes) > 0;
  }

  raiseFloor(key: WiredKey, { grant, n }: Fence, keepMs: number, wall: number): void {
    this.#raiseFloor.run(...this.place(key), grant, n, Math.ceil(wall + keepMs));
  }

  putLock(key: WiredKey, text: string, sweepAt: number | undefined): void {
    if (sweepAt === undefined) this.#updateLock.run(text, ...this.place(key));
    else this.#putLock.run(...this.place(key), text, sweepAt);
  }

  removeLock(key: WiredKey): void {
    this.#removeLock.run(...this.place(key));
  }

  sweep(wall: number, limit: number, on: Swept): number {
    const records = this.#sweepRecords.all(wall, limit);
    for (const row of records) on.record(Buffer.from(idOf(row)));
    const locks = this.#dueLocks.all(wall, limit - records.length);
    for (const row of locks) on.lock(idOf(row), row["kept_until"] as number);
    const swept = records.length + locks.length;
    return swept + Number(this.#sweepFloors.run(wall, limit - swept).changes);
  }

  protected place({ bytes, space }: WiredKey): Placed {
    return [bytes.toString("utf8", 0, space), bytes.toString("utf8", space)];
  }
}

function endColumn(end: number): number | null {
  return end === Infinity ? null : Math.ceil(end);
}

/** The key id of a row. */
function idOf(row: { readonly [column: string]: unknown }): string {
  return textOf(row["space"] as string | Uint8Array) + keyOf(row);
}

/** Whether the driver of a connection gives a text beyond a NUL in it. */
export function readsWhole(connection: Connection): boolean {
  const row = connection.prepare("SELECT 'a' || char(0) || 'b' AS text").get() as Row;
  return row["text"] === "a\0b";
}

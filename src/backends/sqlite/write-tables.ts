import type { Fence, SetOn } from "../common/view.ts";
import { partsOf } from "../machine/record.ts";
import type { Swept, WritableTables } from "../machine/tables.ts";
import type { WiredKey, WiredRecord } from "../machine/wire.ts";
import { columnsOf, textColumn, textOf, type RecordRow } from "./columns.ts";
import type { Statement } from "./driver.ts";
import { at, keyOf, SqliteTables, type Opened, type Placed } from "./tables.ts";

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

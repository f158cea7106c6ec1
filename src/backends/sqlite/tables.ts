import type { ListedRecord } from "../../port/index.ts";
import type { Fence, Shown } from "../common/view.ts";
import type { Log, Meta, Tables } from "../machine/tables.ts";
import { shownRecord, stampsIn, textColumn, textOf, valueColumn, withStamps, type RecordRow } from "./columns.ts";
import type { Connection, Row, Statement } from "./driver.ts";
import type { SqliteNames } from "./schema.ts";
import { SqliteLog, SqliteMeta } from "./texts.ts";

/** Where a key is. */
export const at = "WHERE space = ? AND key = ?";

/** A connection, and what is to be known of it and of the tables. */
export interface Opened {
  readonly connection: Connection;
  readonly names: SqliteNames;
  /** Whether the driver gives a text beyond a NUL in it. */
  readonly isWhole: boolean;
}

/** The space of a key, and the key in it. */
export type Placed = readonly [space: string, key: string];

/** What both threads read. */
export abstract class SqliteTables<K> implements Tables<K, RecordRow> {
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

/** The key of a row, without its space. */
export function keyOf(row: { readonly [column: string]: unknown }): string {
  return textOf(row["key"] as string | Uint8Array);
}

/** Whether the driver of a connection gives a text beyond a NUL in it. */
export function readsWhole(connection: Connection): boolean {
  const row = connection.prepare("SELECT 'a' || char(0) || 'b' AS text").get() as Row;
  return row["text"] === "a\0b";
}

import type { Log, LogRow, Meta } from "../machine/tables.ts";
import { textOf } from "./columns.ts";
import type { Connection, Statement } from "./driver.ts";
import { pastPrefix } from "./ranges.ts";

export class SqliteMeta implements Meta {
  readonly #get: Statement;
  readonly #put: Statement;
  readonly #remove: Statement;
  readonly #names: Statement;

  constructor(connection: Connection, table: string) {
    this.#get = connection.prepare(`SELECT value FROM ${table} WHERE name = ?`);
    this.#put = connection.prepare(
      `INSERT INTO ${table} (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
    );
    this.#remove = connection.prepare(`DELETE FROM ${table} WHERE name = ?`);
    // As bytes: some drivers end a text at its first NUL.
    this.#names = connection.prepare(
      `SELECT CAST(name AS BLOB) AS name FROM ${table} WHERE name >= ? AND name < ? ORDER BY name LIMIT ?`,
    );
  }

  get(name: string): string | undefined {
    return this.#get.get(name)?.["value"] as string | undefined;
  }

  put(name: string, text: string): void {
    this.#put.run(name, text);
  }

  remove(name: string): void {
    this.#remove.run(name);
  }

  suffixes(prefix: string, limit: number): string[] {
    const rows = this.#names.all(prefix, pastPrefix(prefix) as string, limit);
    return rows.map((row) => textOf(row["name"] as Uint8Array).slice(prefix.length));
  }
}

export class SqliteLog implements Log {
  readonly #put: Statement;
  readonly #read: Statement;
  readonly #trim: Statement;

  constructor(connection: Connection, table: string) {
    this.#put = connection.prepare(`INSERT INTO ${table} (at, body) VALUES (?, ?)`);
    this.#read = connection.prepare(`SELECT at, body FROM ${table} WHERE at BETWEEN ? AND ? ORDER BY at LIMIT ?`);
    this.#trim = connection.prepare(
      `DELETE FROM ${table} WHERE at IN (SELECT at FROM ${table} WHERE at < ? ORDER BY at LIMIT ?)`,
    );
  }

  put(at: number, text: string): void {
    this.#put.run(at, text);
  }

  read(first: number, last: number, limit: number): readonly LogRow[] {
    const rows = this.#read.all(first, last, limit);
    return rows.map((row) => ({ at: row["at"] as number, text: row["body"] as string }));
  }

  trim(first: number, limit: number): void {
    this.#trim.run(first, limit);
  }
}

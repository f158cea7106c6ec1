import type { Key } from "../../base/keys.ts";
import type { KeyRange, Listed, ReadableTables } from "../machine/tables.ts";
import { shownRecord, textColumn, valueColumn, withStamps, type RecordRow } from "./columns.ts";
import type { Statement, Value } from "./driver.ts";
import { isBusy } from "./failures.ts";
import { pastPrefix } from "./ranges.ts";
import { inodeOf, replacedMessage } from "./replaced.ts";
import { keyOf, SqliteTables, type Opened, type Placed } from "./tables.ts";

/** How often it is looked whether the file is still there, in ms. */
const lookEvery = 250;

/** The file is another one: the commit thread finds that too, and ends, and what is there is opened. */
const replaced = new Error(replacedMessage);

/** What {@link ReadTables} takes. */
export interface OpenedFile extends Opened {
  readonly path: string;
}

/** In the caller's thread. A statement by itself is a snapshot; several are in a transaction that only reads. */
export class ReadTables extends SqliteTables<Key> implements ReadableTables<RecordRow> {
  protected readonly findsWhole = true;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #lists: readonly [keys: Statement, values: Statement];
  readonly #lockKeys: Statement;
  readonly #due: Statement;
  readonly #path: string;
  readonly #inode: number | undefined;
  #lookAt = 0;
  #isOpen = true;
  #hasBegun = false;

  constructor(opened: OpenedFile) {
    super(opened);
    const { connection, names, isWhole, path } = opened;
    this.#path = path;
    this.#inode = inodeOf(path);
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
    this.#look();
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
    return error === replaced || isBusy(error);
  }

  close(): Promise<void> {
    if (this.#isOpen) this.connection.close();
    this.#isOpen = false;
    return Promise.resolve();
  }

  #look(): void {
    const now = performance.now();
    if (now < this.#lookAt) return;
    if (inodeOf(this.#path) !== this.#inode) throw replaced;
    this.#lookAt = now + lookEvery;
  }

  protected place({ space, key }: Key): Placed {
    return [space.id, key];
  }
}

/** Bytes come behind every text. */
const pastText = new Uint8Array([0]);

function boundsOf({ space, prefix, after = "", limit }: KeyRange): readonly Value[] {
  return [space, prefix, after, pastPrefix(prefix) ?? pastText, limit];
}

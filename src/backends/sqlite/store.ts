import { statfsSync, statSync } from "node:fs";
import { UnsupportedError } from "../../base/errors.ts";
import type { Committed, Store, Work } from "../machine/serve.ts";
import { makeTables, type Steps } from "../sql/migrations.ts";
import type { Connection, Driver, Statement } from "./driver.ts";
import { codeOf, isBusy, named } from "./failures.ts";
import { inodeOf, replacedMessage } from "./replaced.ts";
import { sqliteNames, sqliteTables } from "./schema.ts";
import { readsWhole } from "./tables.ts";
import type { ThreadData } from "./thread.ts";
import { WriteTables } from "./write-tables.ts";

/** How long the thread waits for others while it opens the file, in ms. */
const openTimeout = 5_000;
/** Between two attempts to write while another process does, at first and at most, in ms. */
const firstPause = 0.1;
const longestPause = 5;
/**
 * How large the log of writes may become before readers are waited for, so that it can begin anew, in bytes; how often
 * and how long they are, in ms.
 */
const longLog = 64 * 1024 * 1024;
const lookEvery = 1_000;
const readersWait = 50;
/**
 * What writes of values leave to all else, in bytes: as much as the log takes until it begins anew, and as the file
 * grows by what is in it. So on a full disk locks still pass on, records can be deleted, and processes come and go.
 */
const spared = 8 * 1024 * 1024;

/** What the commit thread writes to: the one connection of the process that does. */
export class SqliteStore implements Store {
  readonly tables: WriteTables;
  readonly domain: string;
  readonly #connection: Connection;
  readonly #path: string;
  /** Which file it is, whatever is called so by now. */
  #inode: number | undefined;
  readonly #begin: Statement;
  readonly #commit: Statement;
  #lookAt = 0;

  /** Opens the file, and makes what is missing in it. Throws an error of the driver, or a HoldfastError. */
  constructor(driver: Driver, { path, prefix }: ThreadData) {
    this.#path = path;
    const connection = driver.open(path, false);
    this.#connection = connection;
    try {
      const until = performance.now() + openTimeout;
      const work: Work = {
        load: () => ({ ops: 0, bytes: 0, values: false }),
        isWanted: () => performance.now() < until,
      };
      setUp(connection, work);
      this.#begin = connection.prepare("BEGIN IMMEDIATE");
      this.#commit = connection.prepare("COMMIT");
      const plan = sqliteTables(prefix);
      const made = this.commit(work, () => driven(connection, makeTables(plan, false)).domain);
      if (!("result" in made)) throw made.error;
      this.domain = made.result;
      this.#inode = statSync(path).ino;
      this.tables = new WriteTables({ connection, names: sqliteNames(prefix), isWhole: readsWhole(connection) });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  commit<T>(work: Work, body: () => T): Committed<T> {
    // What is written to a file that nobody finds any more excludes nobody: the thread ends, and the next one opens
    // what is there.
    if (this.#inode !== undefined && inodeOf(this.#path) !== this.#inode) {
      throw new Error(replacedMessage);
    }
    const { values, bytes } = work.load(() => 0);
    if (values && !this.#hasRoom(bytes)) return { error: noRoom(), sent: false };
    try {
      whileBusy(() => this.#begin.run(), work);
    } catch (error) {
      return { error: named(error), sent: false };
    }
    let result: T;
    try {
      result = body();
    } catch (error) {
      this.#rollBack();
      return { error: named(error), sent: false };
    }
    try {
      this.#commit.run();
      return { result };
    } catch (error) {
      this.#rollBack();
      // What did not fit was not written to its end, so nobody will ever find it. All else may be found after a crash.
      return { error: named(error), sent: codeOf(error) !== "SQLITE_FULL" };
    }
  }

  /** Has the log of writes begin anew where it grew long, as it does while there is always somebody who reads. */
  tend(): void {
    const now = performance.now();
    if (now < this.#lookAt) return;
    this.#lookAt = now + lookEvery;
    if ((statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0) < longLog) return;
    this.#connection.exec(`PRAGMA busy_timeout = ${readersWait}`);
    try {
      this.#connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
    } catch (error) {
      // The next commit fails too where that matters.
      if (!isBusy(error) && codeOf(error) !== "SQLITE_FULL") throw error;
    } finally {
      this.#connection.exec("PRAGMA busy_timeout = 0");
    }
  }

  close(): void {
    this.#connection.close();
  }

  #hasRoom(bytes: number): boolean {
    const { bavail, bsize } = statfsSync(this.#path);
    return bavail * bsize >= spared + 2 * bytes;
  }

  /** Some failures have undone the transaction themselves. */
  #rollBack(): void {
    try {
      this.#connection.exec("ROLLBACK");
    } catch (error) {
      if (!/no transaction is active/.test((error as Error).message)) throw error;
    }
  }
}

function noRoom(): Error {
  return Object.assign(new Error("no space is left on the disk of the file"), { code: "SQLITE_FULL" });
}

function setUp(connection: Connection, work: Work): void {
  const [row] = whileBusy(() => connection.prepare("PRAGMA journal_mode = WAL").all(), work);
  if (row?.["journal_mode"] !== "wal") {
    throw new UnsupportedError(
      "the file system has no shared memory for SQLite's write-ahead log: put the file on a local disk",
      { backend: "sqlite" },
    );
  }
  // Each commit is flushed before it can be seen; on macOS down to the disk itself.
  connection.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
}

function driven<T>(connection: Connection, steps: Steps<T>): T {
  let step = steps.next([]);
  while (!step.done) {
    const replies = step.value.map(({ text }): { readonly rows: readonly (readonly unknown[])[] } => {
      if (text.startsWith("SELECT"))
        return {
          rows: connection
            .prepare(text)
            .all()
            .map((row) => Object.values(row)),
        };
      connection.exec(text);
      return { rows: [] };
    });
    step = steps.next(replies);
  }
  return step.value;
}

const nap = new Int32Array(new SharedArrayBuffer(4));

/** Tries again, after a pause, what another process is in the way of, while somebody waits for it. */
function whileBusy<T>(attempt: () => T, work: Work): T {
  for (let pause = firstPause; ; pause = Math.min(1.5 * pause, longestPause)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || !work.isWanted()) throw error;
    }
    Atomics.wait(nap, 0, 0, pause * (0.5 + Math.random()));
  }
}

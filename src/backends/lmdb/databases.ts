import { existsSync } from "node:fs";
import path from "node:path";
import { transaction, type LmdbKey, type LmdbModule, type LmdbRoot, type LmdbStore } from "./driver.ts";
import { MachineMutex } from "./machine-mutex.ts";
import { probeFiles, probeRoom, Reserve } from "./reserve.ts";

/** The files of a directory. */
export interface DataFiles {
  readonly data: string;
  /** Of {@link MachineMutex}. */
  readonly mutex: string;
}

/** The databases of a directory. */
export interface Databases {
  readonly root: LmdbRoot;
  /** keyId -> record, see `machine/record.ts`. */
  readonly records: LmdbStore;
  /** keyId -> lock, see `machine/lock-table.ts`. */
  readonly locks: LmdbStore;
  /** keyId -> fence floor. */
  readonly floors: LmdbStore;
  /** When something of the others is to be looked at: time, letter, its key. */
  readonly expiry: LmdbStore;
  /** What watchers and waiters are told, in order. */
  readonly log: LmdbStore;
  /** Boot, store-wide floor, processes, who watches and who waits. */
  readonly meta: LmdbStore;
}

/** The databases, for the one thread of the process that writes to them. */
export interface WritableDatabases extends Databases {
  readonly mutex: MachineMutex;
  readonly reserve: Reserve;
}

/** Keys are UTF-8; ends of ranges come as bytes. */
const keyEncoder = {
  writeKey(key: LmdbKey, target: Buffer, start: number): number {
    if (typeof key === "string") return start + target.write(key, start);
    target.set(key, start);
    return start + key.length;
  },
  readKey(target: Buffer, start: number, end: number): Buffer {
    return Buffer.from(target.subarray(start, end));
  },
};

/**
 * Opens the databases for the commit thread, while nobody commits. The process has one environment, which this call
 * opens: {@link openReadable} must share it, for an open without the mutex could take a commit of another process
 * back.
 */
export function openWritable(driver: LmdbModule, files: DataFiles, mapSize: number): WritableDatabases {
  probeFiles();
  if (!existsSync(files.mutex) || !existsSync(files.data)) probeRoom(path.dirname(files.data));
  const mutex = new MachineMutex(driver, files.mutex);
  try {
    return { ...mutex.run(() => makeDatabases(driver, files.data, mapSize)), mutex };
  } catch (error) {
    void mutex.close();
    throw error;
  }
}

/** Opens the databases, and makes those that are missing once there is room for them. */
function makeDatabases(driver: LmdbModule, file: string, mapSize: number): Databases & { readonly reserve: Reserve } {
  const root = openRoot(driver, file, mapSize, true);
  const reserve = new Reserve(root, file);
  try {
    const made = root.env.info().lastPageNumber > 1;
    if (!made) transaction(root, () => reserve.ensure({ ops: 16, bytes: 0, values: false }));
    return { ...openDatabases(root), reserve };
  } catch (error) {
    reserve.close();
    void root.close();
    throw error;
  }
}

/** Opens the databases for reading in another thread of the process, while the commit thread surely has them open. */
export function openReadable(driver: LmdbModule, files: DataFiles, mapSize: number): Databases {
  return openDatabases(openRoot(driver, files.data, mapSize, false));
}

const options = { encoding: "binary", keyEncoder } as const;

function openRoot(driver: LmdbModule, file: string, mapSize: number, writable: boolean): LmdbRoot {
  return driver.open({
    ...options,
    path: file,
    noSubdir: true,
    // With it, a process that is killed while it flushes can leave the lock file behind the data: the flush is not
    // under the write lock, and what the next process repairs may be what another one is just writing. Seen as
    // commits that never ended.
    overlappingSync: false,
    readOnly: !writable,
    maxReaders: 2048,
    mapSize,
  });
}

function openDatabases(root: LmdbRoot): Databases {
  const table = (name: string): LmdbStore => {
    const store = root.openDB({ name, ...options });
    if (!store) throw new Error(`the database "${name}" is missing`);
    return store;
  };
  return {
    root,
    records: table("records"),
    locks: table("locks"),
    floors: table("floors"),
    expiry: table("expiry"),
    log: table("log"),
    meta: table("meta"),
  };
}

/** Closes what {@link openWritable} opened. */
export async function closeWritable({ root, mutex, reserve }: WritableDatabases): Promise<void> {
  reserve.close();
  await root.close();
  await mutex.close();
}

/** Runs `body` as one durable transaction of the machine's only writer; nothing of it stays when it throws. */
export function transact<T>({ root, mutex }: WritableDatabases, body: () => T): T {
  return mutex.run(() => transaction(root, body));
}

import { UnavailableError } from "../../base/errors.ts";

/** A key as text, or as its bytes where a range ends behind every text. */
export type LmdbKey = string | Uint8Array;

export interface LmdbRange {
  readonly start: LmdbKey;
  readonly end: LmdbKey;
  readonly limit: number;
}

/** What is needed of a database of the driver. */
export interface LmdbStore {
  /** A view of the value, good until the next call; {@link lastSize} tells its length. */
  getBinaryFast(key: LmdbKey): Uint8Array | undefined;
  readonly lastSize: number;
  put(key: LmdbKey, value: Uint8Array): unknown;
  remove(key: LmdbKey): unknown;
  getKeys(range: LmdbRange): Iterable<Buffer>;
}

/** What is needed of an environment of the driver: its nameless database. */
export interface LmdbRoot extends LmdbStore {
  openDB(options: { readonly name: string } & LmdbStoreOptions): LmdbStore | undefined;
  transactionSync(callback: () => void, flags: number): void;
  getWriteTxnId(): number;
  resetReadTxn(): void;
  readerCheck(): number;
  close(): Promise<void>;
}

interface LmdbStoreOptions {
  readonly encoding: "binary";
  readonly keyEncoder: typeof keyEncoder;
}

export interface LmdbModule {
  open(
    options: LmdbStoreOptions & {
      readonly path: string;
      readonly noSubdir: boolean;
      readonly overlappingSync: boolean;
      readonly readOnly: boolean;
      readonly maxReaders: number;
      readonly mapSize: number;
    },
  ): LmdbRoot;
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

/** The databases of a directory. */
export interface Tables {
  readonly root: LmdbRoot;
  /** keyId -> record, see layout.ts. */
  readonly records: LmdbStore;
  /** keyId -> lock, see lock-table.ts. */
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

/** Loads the driver on first use. */
export async function loadDriver(): Promise<LmdbModule> {
  try {
    return (await import("lmdb")) as unknown as LmdbModule;
  } catch (cause) {
    throw new UnavailableError(
      "the lmdb backend needs the optional package lmdb, which is not installed or has no binary for this platform: npm install lmdb",
      { backend: "lmdb", cause },
    );
  }
}

/**
 * Opens the databases of `file`. Only the commit thread opens `writable`; the others of the process share its environment
 * and must open after it.
 */
export function openTables(driver: LmdbModule, file: string, mapSize: number, writable: boolean): Tables {
  const options = { encoding: "binary", keyEncoder } as const;
  const root = driver.open({
    ...options,
    path: file,
    noSubdir: true,
    // With it, a process that is killed while it flushes can leave the lock file behind the data: the flush is not under the write
    // lock, and what the next process repairs may be what another one is just writing. Seen as commits that never ended.
    overlappingSync: false,
    readOnly: !writable,
    maxReaders: 2048,
    mapSize,
  });
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

/** Commits synchronously, flushed before it is visible, and returns when it is. */
const flushedThenVisible = 0x2;

/** Runs `body` as one durable transaction; nothing of it stays when it throws. */
export function transact(root: LmdbRoot, body: () => void): void {
  root.transactionSync(() => {
    // A callback that returns anything with a `then` would be taken as asynchronous: hence a block, and no value.
    body();
  }, flushedThenVisible);
}

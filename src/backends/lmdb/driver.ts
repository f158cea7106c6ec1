import { loadDriver as load } from "../common/driver.ts";
import { dependency } from "./dependency.ts";

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

/** What is needed of an environment of the driver, whatever it holds. */
export interface LmdbEnvironment {
  transactionSync(callback: () => void, flags: number): void;
  close(): Promise<void>;
}

/** What is needed of the environment of the data: its nameless database. */
export interface LmdbRoot extends LmdbStore, LmdbEnvironment {
  openDB(options: { readonly name: string } & LmdbStoreOptions): LmdbStore | undefined;
  getWriteTxnId(): number;
  resetReadTxn(): void;
  readerCheck(): number;
  readonly env: { info(): { readonly lastPageNumber: number }; stat(): { readonly pageSize: number } };
}

interface LmdbStoreOptions {
  readonly encoding: "binary";
  readonly keyEncoder?: {
    writeKey(key: LmdbKey, target: Buffer, start: number): number;
    readKey(target: Buffer, start: number, end: number): Buffer;
  };
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

/** Begins and ends a transaction in the calling thread; it is flushed before it is visible. */
const flushedThenVisible = 0x2;

/** Runs `body`, which must be synchronous, as one transaction; nothing of it stays when it throws. */
export function transaction<T>(environment: LmdbEnvironment, body: () => T): T {
  let result: T | undefined;
  environment.transactionSync(() => {
    // A callback that returns anything with a `then` would be taken as asynchronous: hence a block, and no value.
    result = body();
  }, flushedThenVisible);
  return result as T;
}

/** Loads the driver on first use. Rejects with UnsupportedError. */
export async function loadDriver(): Promise<LmdbModule> {
  return (await load("lmdb", dependency, () => import("lmdb"))) as unknown as LmdbModule;
}

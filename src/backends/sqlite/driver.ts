import { driverMissing, loadDriver as load } from "../common/driver.ts";
import { dependency } from "./dependency.ts";

/** What a statement takes. A number is stored as a whole number where the column is of those. */
export type Value = string | number | Uint8Array | null;

/** What a statement gives for a column. */
export type Column = string | number | Uint8Array | null;

export type Row = Readonly<Record<string, Column>>;

/** What is needed of a prepared statement of a driver. It is done with, and holds no snapshot, when a call returns. */
export interface Statement {
  get(...values: readonly Value[]): Row | undefined;
  all(...values: readonly Value[]): readonly Row[];
  run(...values: readonly Value[]): { readonly changes: number | bigint };
}

/** What is needed of a connection. */
export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** A driver of SQLite. */
export interface Driver {
  /** Its name, for those who run it. */
  readonly name: string;
  /** Opens a file, and makes it unless it is there or `readOnly`. A statement never waits for a lock. */
  open(path: string, readOnly: boolean): Connection;
}

interface BuiltIn {
  readonly DatabaseSync: new (path: string, options: { readonly readOnly: boolean }) => Connection;
}

interface Package {
  readonly default: new (path: string, options: { readonly readonly: boolean; readonly timeout: number }) => Connection;
}

/**
 * Loads the driver on first use: the one of Node where it has one, which is from 22.13 on, else the package. Both hold
 * the file by locks that the kernel counts by process, so one process must not use both: there is no choice. Rejects
 * with UnsupportedError.
 */
export async function loadDriver(): Promise<Driver> {
  const builtIn = loadQuietly();
  if (builtIn) {
    return { name: "node:sqlite", open: (path, readOnly) => new builtIn.DatabaseSync(path, { readOnly }) };
  }
  const { default: Database } = (await load(
    "sqlite",
    dependency,
    () => import("better-sqlite3"),
  )) as unknown as Package;
  if (typeof Database !== "function")
    throw driverMissing("sqlite", dependency, "of which another version is installed");
  return { name: dependency.name, open: (path, readonly) => new Database(path, { readonly, timeout: 0 }) };
}

/**
 * Node's own driver. Older versions warn that it is experimental as it is loaded: a warning about what the application
 * did not choose, and with which it could do nothing. That one alone is kept back, in the call that loads it.
 */
function loadQuietly(): BuiltIn | undefined {
  const emit = process.emitWarning;
  process.emitWarning = (...given: unknown[]) => {
    const [warning, type] = given;
    if (type === "ExperimentalWarning" && String(warning).startsWith("SQLite")) return;
    (emit as (...args: unknown[]) => void).apply(process, given);
  };
  try {
    return process.getBuiltinModule("node:sqlite") as BuiltIn | undefined;
  } finally {
    process.emitWarning = emit;
  }
}

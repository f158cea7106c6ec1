import { type HoldfastError, InvalidArgumentError, isHoldfastError, UnavailableError } from "../../base/errors.ts";
import type { WiredError } from "../machine/commands.ts";
import type { Speech } from "../machine/engine.ts";

const backend = "sqlite";

/** SQLite's names of what went wrong, by their numbers. */
const names: ReadonlyMap<number, string> = new Map([
  [5, "SQLITE_BUSY"],
  [6, "SQLITE_LOCKED"],
  [8, "SQLITE_READONLY"],
  [10, "SQLITE_IOERR"],
  [11, "SQLITE_CORRUPT"],
  [13, "SQLITE_FULL"],
  [14, "SQLITE_CANTOPEN"],
  [15, "SQLITE_PROTOCOL"],
  [26, "SQLITE_NOTADB"],
]);

/** What to do about a failure. */
const advice: Readonly<Record<string, string>> = {
  SQLITE_BUSY: "the file is locked: another program holds a transaction that writes to it",
  SQLITE_LOCKED: "the file is locked: another program holds a transaction that writes to it",
  SQLITE_PROTOCOL: "the file is locked: another program holds a transaction that writes to it",
  SQLITE_FULL: "the disk is full: free space in the file's file system",
  ENOSPC: "the disk is full: free space in the file's file system",
  EDQUOT: "the disk quota is used up: free space in the file's file system",
  SQLITE_IOERR: "the disk is full, or failing: free space in the file's file system, or check the device",
  SQLITE_READONLY:
    "the file may not be written: grant read and write permission on it, on what is beside it and on its directory",
  SQLITE_CANTOPEN:
    "the file, or what SQLite keeps beside it, cannot be opened: grant read and write permission on its directory, " +
    "and see that the process may open more files",
  EMFILE: "the process has too many files open: close some, or raise its limit of open files",
  ENFILE: "the machine has too many files open: close some, or raise its limit of open files",
};

/** What may pass while the process runs. */
const passing = new Set<unknown>(["SQLITE_FULL", "ENOSPC", "EDQUOT"]);

/** SQLite's name of a failure, or that of the system: each driver has its own way to tell. */
export function codeOf(error: unknown): string | undefined {
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  if (typeof errcode === "number") return names.get(errcode & 0xff) ?? "SQLITE_ERROR";
  if (typeof code !== "string") return undefined;
  // Some have a second name behind the first: SQLITE_BUSY_RECOVERY.
  const [first = code] = /^SQLITE_[A-Z]+/.exec(code) ?? [];
  return first;
}

/** Whether another process is in the way, which may be over in a moment. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === "SQLITE_BUSY" || code === "SQLITE_PROTOCOL";
}

/** The failure, with SQLite's name of it as its code: that is what crosses threads. */
export function named(error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined || isHoldfastError(error)) return error;
  return Object.assign(new Error((error as Error).message, { cause: error }), { code });
}

/** What a failure of the driver means to the caller; nothing took effect. */
function toError(error: WiredError | Error): HoldfastError {
  if (isHoldfastError(error)) return error;
  const code = codeOf(error);
  if (code === "SQLITE_NOTADB" || code === "SQLITE_CORRUPT") {
    const what = code === "SQLITE_NOTADB" ? "is no database of SQLite" : "is damaged";
    return new InvalidArgumentError(`the file ${what}: choose another path, or restore it`, { backend, cause: error });
  }
  const known = code === undefined ? undefined : advice[code];
  return new UnavailableError(known ?? `the file could not be written or read: ${error.message}`, {
    backend,
    cause: error,
    refused: passing.has(code),
  });
}

/** How the backend speaks of itself. */
export const speech: Speech = { name: backend, what: "file", explain: toError };

import { type HoldfastError, InvalidArgumentError, isHoldfastError, UnavailableError } from "../../base/errors.ts";
import type { WiredError } from "../machine/commands.ts";
import type { Speech } from "../machine/engine.ts";

const context = { backend: "lmdb" } as const;

const fullDisk = "the disk is full: free space in the directory's file system";
const noQuota = "the disk quota is used up: free space in the directory's file system";
const fileSize = "the file may not grow further: raise the file size limit of the process";
const noRight =
  "the data files may not be written: grant read and write permission on the directory and the files in it";

/** Codes of the driver and the system that say what to do about them. */
const advice: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [28, fullDisk],
  ["ENOSPC", fullDisk],
  [122, noQuota],
  ["EDQUOT", noQuota],
  [27, fileSize],
  ["EFBIG", fileSize],
  [13, noRight],
  [1, noRight],
  ["EMFILE", "the process has too many files open: close some, or raise its limit of open files"],
  ["ENFILE", "the machine has too many files open: close some, or raise its limit of open files"],
  [-30792, "the map of the data file could not grow: free address space, or raise the memory limit of the process"],
  [-30790, "too many processes read the directory: close some"],
  // The driver says so too when a write was cut short for want of space.
  [5, "the disk is full, or failing: free space in the directory's file system, or check the device"],
  [30, "the file system is mounted read-only: mount it writable or choose another path"],
  [11, "the data files are locked by another program: end it or choose another path"],
]);

/** Codes of what may pass while the process runs: no room, or too many readers. */
const passing = new Set<unknown>([28, "ENOSPC", 122, "EDQUOT", -30790]);

/** Codes of a data file that can never work. */
const foreign = new Set<unknown>([-30793, -30794, -30784, -30796, -30797]);

/** What a failure of the driver means to the caller; nothing took effect. */
function toError(error: WiredError | Error): HoldfastError {
  if (isHoldfastError(error)) return error;
  const code = "code" in error ? error.code : undefined;
  if (foreign.has(code)) {
    return new InvalidArgumentError(
      "the directory's data files are of another program or version, or damaged: choose another path, or restore them",
      { ...context, cause: error },
    );
  }
  return new UnavailableError(advice.get(code) ?? `the data could not be written or read: ${error.message}`, {
    ...context,
    cause: error,
    refused: passing.has(code),
  });
}

/**
 * Whether an open failed since the last process that had the files open closed them just then: it destroys the
 * mutexes in the lock file, and whoever waited for it finds them so (EINVAL). The next one who comes alone makes them
 * anew.
 */
export function closedMeanwhile(error: unknown): boolean {
  return (error as { readonly cause?: { readonly code?: unknown } }).cause?.code === 22;
}

/** How the backend speaks of itself. */
export const speech: Speech = { name: "lmdb", what: "directory", explain: toError };

import * as fs from "node:fs";
import { devNull } from "node:os";
import path from "node:path";
import { drawId } from "../../base/ids.ts";
import type { Load } from "../machine/wire.ts";
import type { LmdbRoot } from "./driver.ts";

/** Pages that a transaction may use beside those of its operations: roots, branches, the list of free pages. */
const basePages = 16;
/** Pages that an operation may touch: of the records or locks, of the expiry index, of the log or of who waits. */
const pagesEach = 3;
/**
 * What writes of values leave to all else, so that on a full disk locks still pass on and records can be deleted, in
 * pages.
 */
const spared = 64;
/** The file grows by as much at least, in bytes. */
const step = 256 * 1024;

const zeros = Buffer.alloc(64 * 1024);

/** For what the driver writes into new files, in bytes. */
const newFiles = 1024 * 1024;

/**
 * Throws the system's error where there is no room for new files, which the driver is about to make: it takes the
 * process down when it cannot. The room is taken and given back, so that none can be had by asking but not by
 * writing.
 */
export function probeRoom(directory: string): void {
  const probe = path.join(directory, `.room.${drawId()}`);
  try {
    fs.writeFileSync(probe, Buffer.alloc(newFiles), { flag: "wx" });
  } finally {
    fs.rmSync(probe, { force: true });
  }
}

/** Files that the driver and this thread open, and some more. */
const mostFiles = 16;

/**
 * Throws the system's error where the process may not open as many files as the driver is about to: an open that
 * fails midway in there can take the process down.
 */
export function probeFiles(): void {
  const handles: number[] = [];
  try {
    while (handles.length < mostFiles) handles.push(fs.openSync(devNull, "r"));
  } finally {
    for (const handle of handles) fs.closeSync(handle);
  }
}

/**
 * Room on the disk that is taken before it is needed. A write that fails for want of space inside of the driver
 * overruns memory of the process (it formats its message into too few bytes), so none may: the data file is written
 * full of zeros ahead of its last page, under the machine's write lock, by a call that fails cleanly.
 */
export class Reserve {
  readonly #root: LmdbRoot;
  readonly #file: number;
  readonly #path: string;
  readonly #pageSize: number;
  /** The number that the next transaction has if no other process commits meanwhile. */
  #next = -1;
  /** Bytes behind the last page in use, at least. */
  #ahead = 0;
  /** The file has holes, so its length says nothing: a disk that compresses, or a copy that left zeros out. */
  #sparse = false;

  constructor(root: LmdbRoot, name: string) {
    this.#root = root;
    this.#path = name;
    this.#file = fs.openSync(name, "r+");
    this.#pageSize = root.env.stat().pageSize;
  }

  /**
   * Makes room for a transaction, within it and before its first write. Throws the system's error, ENOSPC for one,
   * when there is none.
   */
  ensure({ ops, bytes, values }: Load): void {
    const number = this.#root.getWriteTxnId();
    // A number is used again when its transaction is undone; a higher one says that others have committed.
    if (number !== this.#next) this.#look();
    this.#next = number + 1;
    const pages = basePages + pagesEach * ops + (values ? spared : 0);
    const need = pages * this.#pageSize + 2 * bytes;
    if (this.#ahead < need) {
      this.#look();
      if (this.#ahead < need) this.#grow(need);
    }
    if (this.#sparse) this.#check(need);
    this.#ahead -= need;
  }

  close(): void {
    fs.closeSync(this.#file);
  }

  /** How far the file reaches behind the last page that is committed. */
  #look(): void {
    const { size, blocks } = fs.fstatSync(this.#file);
    this.#ahead = size - (this.#root.env.info().lastPageNumber + 1) * this.#pageSize;
    this.#sparse = blocks * 512 < size;
  }

  #grow(need: number): void {
    let at = fs.fstatSync(this.#file).size;
    const wanted = at + Math.max(need - this.#ahead, step);
    const enough = at + need - this.#ahead;
    try {
      while (at < wanted) at += fs.writeSync(this.#file, zeros, 0, Math.min(zeros.length, wanted - at), at);
    } catch (error) {
      if (at < enough) throw error;
    } finally {
      this.#look();
    }
  }

  #check(need: number): void {
    const { bavail, bsize } = fs.statfsSync(this.#path);
    if (bavail * bsize >= 2 * need) return;
    throw Object.assign(new Error("no space is left on the disk of the data file"), { code: "ENOSPC" });
  }
}

import * as fs from "node:fs";
import path from "node:path";
import { drawId } from "../../base/ids.ts";
import { InvalidArgumentError } from "../../base/errors.ts";
import { explainPath, refuseNetwork, socketFolder } from "../machine/local-disk.ts";
import type { DataFiles } from "./databases.ts";
import { speech } from "./failures.ts";

const context = { backend: speech.name } as const;
const marker = "holdfast.json";
const format = 1;
/** What a data file holds at bytes 24 and 28. */
const dataMagic = 0xbeefc0de;
const dataVersion = 2;

/** A directory that can be used. */
export interface Directory {
  /** Absolute, links resolved. */
  readonly path: string;
  readonly files: DataFiles;
  /** The id of the data. */
  readonly domain: string;
  /** Where the sockets of its processes are. */
  readonly sockets: string;
}

/**
 * Makes or checks the directory. Throws InvalidArgumentError, UnsupportedError or UnavailableError, with what to do.
 */
export function prepareDirectory(wanted: string): Directory {
  try {
    fs.mkdirSync(wanted, { recursive: true });
    const resolved = fs.realpathSync(wanted);
    if (!fs.statSync(resolved).isDirectory()) throw notADirectory(wanted);
    refuseNetwork(resolved, speech);
    fs.accessSync(resolved, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    const file = path.join(resolved, "data.mdb");
    const domain = readMarker(resolved) ?? writeMarker(resolved, file);
    refuseDamaged(file);
    const files = { data: file, mutex: path.join(resolved, "mutex.mdb") };
    for (const name of [file, files.mutex]) if (!fs.existsSync(`${name}-lock`)) makeLockFile(resolved, `${name}-lock`);
    return { path: resolved, files, domain, sockets: socketFolder(path.join(resolved, "sockets"), domain, speech) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || code === "ENOTDIR") throw notADirectory(wanted);
    throw explainPath(error as NodeJS.ErrnoException, wanted, speech);
  }
}

function notADirectory(wanted: string): InvalidArgumentError {
  return new InvalidArgumentError(`the path ${JSON.stringify(wanted)} is a file: name a directory`, context);
}

/** Looks at how the data file starts, since the driver takes the process down over one that is not its own. */
function refuseDamaged(file: string): void {
  let handle: number;
  try {
    handle = fs.openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    const start = Buffer.alloc(32);
    const length = fs.readSync(handle, start, 0, start.length, 0);
    if (length === 0 || (start.readUInt32LE(24) === dataMagic && start.readUInt32LE(28) === dataVersion)) return;
  } finally {
    fs.closeSync(handle);
  }
  throw new InvalidArgumentError(
    "the directory's data.mdb is of another program or version, or damaged: choose another path, or restore it",
    context,
  );
}

/** Of the driver's lock file: room for its head and 2,048 readers, in bytes. */
const lockBytes = 132 * 1024;
/** What the driver writes into a new data file before anything else can be checked, and some more. */
const firstBytes = 512 * 1024;

/**
 * Makes the lock file before the driver does, and full of zeros. The driver would make it of holes, and a hole that
 * it writes to on a full disk ends the process.
 */
function makeLockFile(directory: string, target: string): void {
  const { bavail, bsize } = fs.statfsSync(directory);
  if (bavail * bsize < firstBytes) throw Object.assign(new Error("no space is left"), { code: "ENOSPC" });
  linkNew(directory, target, Buffer.alloc(lockBytes));
}

/** Makes a whole file where there is none; leaves the one there is. */
function linkNew(directory: string, target: string, content: Uint8Array): void {
  const draft = path.join(directory, `.${path.basename(target)}.${drawId()}`);
  const handle = fs.openSync(draft, "wx");
  try {
    try {
      for (let at = 0; at < content.length;) at += fs.writeSync(handle, content, at);
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
    // A link fails where a rename would replace the winner's.
    fs.linkSync(draft, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    fs.unlinkSync(draft);
  }
}

/** The id in the marker; `undefined` where there is none. */
function readMarker(directory: string): string | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path.join(directory, marker), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const found = parse(text);
  if (found?.format === format && typeof found.domain === "string") return found.domain;
  throw new InvalidArgumentError(
    typeof found?.format === "number" && found.format > format
      ? `the directory was made by a newer version (format ${found.format}, known is ${format}): ` +
          "update holdfast or choose another path"
      : `the directory's ${marker} cannot be read: restore it or choose another path`,
    context,
  );
}

function parse(text: string): { readonly format?: unknown; readonly domain?: unknown } | undefined {
  try {
    return JSON.parse(text) as { format?: unknown; domain?: unknown };
  } catch {
    return undefined; // the caller says what is wrong
  }
}

/** Makes the directory ours; when several processes do at once, one of them wins. Its id. */
function writeMarker(directory: string, file: string): string {
  if (fs.existsSync(file)) {
    // Unless somebody else has just made it.
    const made = readMarker(directory);
    if (made !== undefined) return made;
    throw new InvalidArgumentError(
      "the directory holds LMDB data of another program: choose an empty directory, since opening " +
        "it could damage that data",
      context,
    );
  }
  const domain = drawId();
  linkNew(directory, path.join(directory, marker), Buffer.from(`${JSON.stringify({ format, domain })}\n`));
  return readMarker(directory) ?? domain;
}

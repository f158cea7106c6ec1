import * as fs from "node:fs";
import path from "node:path";
import { InvalidArgumentError } from "../../base/errors.ts";
import { explainPath, refuseNetwork, socketFolder } from "../machine/local-disk.ts";
import { speech } from "./failures.ts";

const context = { backend: speech.name } as const;

/** A file that can be used, whether it is there or not. */
export interface DataFile {
  /** Absolute, links resolved: SQLite names what is beside it so. */
  readonly path: string;
  /** Where the sockets of its processes are. */
  readonly sockets: string;
}

/**
 * Checks the file, and makes the directories above it. Throws InvalidArgumentError, UnsupportedError or
 * UnavailableError, with what to do.
 *
 * Never opens it: as any descriptor of the file is closed, the kernel takes back every lock that this process has on
 * it, SQLite's among them.
 */
export function prepareFile(wanted: string, prefix: string): DataFile {
  try {
    fs.mkdirSync(path.dirname(wanted), { recursive: true });
    const file = resolveFile(wanted);
    const directory = path.dirname(file);
    refuseNetwork(directory, speech);
    fs.accessSync(directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    for (const name of [file, `${file}-wal`, `${file}-shm`]) {
      if (fs.existsSync(name)) fs.accessSync(name, fs.constants.R_OK | fs.constants.W_OK);
    }
    const sockets = `${file}-${prefix}sockets`;
    return { path: file, sockets: socketFolder(sockets, sockets, speech) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || code === "ENOTDIR") throw refusal(wanted, "leads through a file: name another directory");
    throw explainPath(error as NodeJS.ErrnoException, wanted, speech);
  }
}

function resolveFile(wanted: string): string {
  const found = fs.lstatSync(wanted, { throwIfNoEntry: false });
  if (!found) return path.join(fs.realpathSync(path.dirname(wanted)), path.basename(wanted));
  const target = fs.statSync(wanted, { throwIfNoEntry: false });
  if (!target) throw refusal(wanted, "is a link to nothing: make what it leads to, or name another file");
  if (target.isDirectory()) throw refusal(wanted, "is a directory: name a file in it");
  if (!target.isFile()) throw refusal(wanted, "is no plain file: name another one");
  return fs.realpathSync(wanted);
}

function refusal(wanted: string, why: string): InvalidArgumentError {
  return new InvalidArgumentError(`the path ${JSON.stringify(wanted)} ${why}`, context);
}

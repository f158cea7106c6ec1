import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { drawId } from "../../base/ids.ts";
import { InvalidArgumentError, UnavailableError, UnsupportedError, type HoldfastError } from "../../base/errors.ts";
import { longestName, longestSocket } from "../machine/sockets.ts";
import type { DataFiles } from "./databases.ts";
import { toError } from "./failures.ts";

const context = { backend: "lmdb" } as const;
const marker = "holdfast.json";
const format = 1;
/** What a data file holds at bytes 24 and 28. */
const dataMagic = 0xbeefc0de;
const dataVersion = 2;
/** File systems of several machines, by what `statfs` calls them: their locks and maps do not reach every machine. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x73757245, "Coda"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x01161970, "GFS2"],
  [0x7461636f, "OCFS2"],
  [0x564c, "NCP"],
  [0x19830326, "BeeGFS"],
  [0x20030528, "OrangeFS"],
]);
/** FUSE is one type for all of them: these are known to be remote. */
const remoteFuse = /^fuse\.(sshfs|s3fs|gcsfuse|rclone|glusterfs|goofys|davfs2?|cephfs|mount-s3|blobfuse2?)$/;
const fuseType = 0x65735546;

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
    refuseNetwork(resolved);
    fs.accessSync(resolved, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    const file = path.join(resolved, "data.mdb");
    const domain = readMarker(resolved) ?? writeMarker(resolved, file);
    refuseDamaged(file);
    const files = { data: file, mutex: path.join(resolved, "mutex.mdb") };
    for (const name of [file, files.mutex]) if (!fs.existsSync(`${name}-lock`)) makeLockFile(resolved, `${name}-lock`);
    return { path: resolved, files, domain, sockets: socketDirectory(resolved, domain) };
  } catch (error) {
    throw explained(error as NodeJS.ErrnoException, wanted);
  }
}

function explained(error: NodeJS.ErrnoException, wanted: string): HoldfastError {
  const where = `the directory ${JSON.stringify(wanted)}`;
  const options = { ...context, cause: error };
  switch (error.code) {
    case "EEXIST":
    case "ENOTDIR":
      return notADirectory(wanted);
    case "EACCES":
    case "EPERM": {
      const remedy = "grant read and write permission or choose another path";
      return new InvalidArgumentError(`${where} may not be written: ${remedy}`, options);
    }
    case "EROFS": {
      const remedy = "mount it writable or choose another path";
      return new InvalidArgumentError(`${where} is on a read-only file system: ${remedy}`, options);
    }
    case "ENOSPC":
    case "EDQUOT":
      return new UnavailableError(`${where} is on a full disk: free space there`, options);
    default:
      return toError(error);
  }
}

function notADirectory(wanted: string): InvalidArgumentError {
  return new InvalidArgumentError(`the path ${JSON.stringify(wanted)} is a file: name a directory`, context);
}

function refuseNetwork(directory: string): void {
  // On Windows and macOS the types mean other things.
  if (process.platform !== "linux") return;
  const name = networkFileSystem(fs.statfsSync(directory).type, () => mountType(directory));
  if (name) {
    throw new UnsupportedError(
      `the directory is on a network file system (${name}), where processes of several machines ` +
        "would corrupt it: use a local disk, or a server",
      context,
    );
  }
}

/** The name of a network file system, by its `statfs` type; FUSE is told apart by its mount. */
export function networkFileSystem(type: number, mount: () => string | undefined): string | undefined {
  const known = networkTypes.get(type >>> 0);
  if (known || type >>> 0 !== fuseType) return known;
  const fuse = mount();
  return fuse && remoteFuse.test(fuse) ? fuse : undefined;
}

/** The type of the mount that holds `directory`. */
function mountType(directory: string): string | undefined {
  let best: { readonly point: string; readonly type: string } | undefined;
  for (const line of fs.readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, raw, type] = line.split(" ");
    if (!raw || !type) continue;
    const point = raw.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const inside = directory === point || directory.startsWith(point.endsWith("/") ? point : `${point}/`);
    if (inside && (!best || point.length >= best.point.length)) best = { point, type };
  }
  return best?.type;
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

/** Inside the directory, else, where a path there is too long for a socket, a private one among the temporary files. */
function socketDirectory(directory: string, domain: string): string {
  const inside = path.join(directory, "sockets");
  if (process.platform === "linux" || Buffer.byteLength(inside) + 1 + longestName <= longestSocket) {
    fs.mkdirSync(inside, { recursive: true });
    return inside;
  }
  const hash = createHash("sha256").update(domain).digest("base64url").slice(0, 16);
  const outside = path.join(tmpdir(), `holdfast-${hash}`);
  fs.mkdirSync(outside, { recursive: true, mode: 0o700 });
  const found = fs.lstatSync(outside);
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) {
    throw new InvalidArgumentError(
      "the directory's path is too long for a socket in it, and the directory for temporary files " +
        "is not ours: choose a shorter path",
      context,
    );
  }
  return outside;
}

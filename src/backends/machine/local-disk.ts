import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { InvalidArgumentError, UnavailableError, UnsupportedError, type HoldfastError } from "../../base/errors.ts";
import type { Speech } from "./engine.ts";
import { longestName, longestSocket } from "./sockets.ts";

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

/** Throws UnsupportedError for a directory that several machines may share. */
export function refuseNetwork(directory: string, { name: backend, what }: Speech): void {
  // On Windows and macOS the types mean other things.
  if (process.platform !== "linux") return;
  const name = networkFileSystem(fs.statfsSync(directory).type, () => mountType(directory));
  if (name) {
    throw new UnsupportedError(
      `the ${what} is on a network file system (${name}), where processes of several machines ` +
        "would corrupt it: use a local disk, or a server",
      { backend },
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

/** What a failure of the system says of the path that was wanted. */
export function explainPath(error: NodeJS.ErrnoException, wanted: string, speech: Speech): HoldfastError {
  const where = `the ${speech.what} ${JSON.stringify(wanted)}`;
  const options = { backend: speech.name, cause: error };
  switch (error.code) {
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
      return speech.explain(error);
  }
}

/**
 * A folder for sockets: `inside`, else, where a path there is too long for a socket, a private one among the temporary
 * files, which is called by the `id` of the data. Throws InvalidArgumentError, or an error of the system.
 */
export function socketFolder(inside: string, id: string, { name, what }: Speech): string {
  if (process.platform === "linux" || Buffer.byteLength(inside) + 1 + longestName <= longestSocket) {
    fs.mkdirSync(inside, { recursive: true });
    return inside;
  }
  const hash = createHash("sha256").update(id).digest("base64url").slice(0, 16);
  const outside = path.join(tmpdir(), `holdfast-${hash}`);
  fs.mkdirSync(outside, { recursive: true, mode: 0o700 });
  const found = fs.lstatSync(outside);
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) {
    throw new InvalidArgumentError(
      `the path of the ${what} is too long for a socket beside it, and the directory for temporary files ` +
        "is not ours: choose a shorter path",
      { backend: name },
    );
  }
  return outside;
}

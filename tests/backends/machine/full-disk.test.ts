import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { kinds, lmdb } from "./support/kinds.ts";

const run = promisify(execFile);
const program = path.join(import.meta.dirname, "support", "full.ts");
/** A file system of its own in a mount namespace of its own: nothing else can get in its way, and it ends with the process. */
const mount = 'mount -t tmpfs -o size="$1" tmpfs "$2" && exec "$3" "$4" "$5" "$2"';

function skipReason(): string | false {
  try {
    execFileSync("unshare", ["--mount", "sh", "-c", "mount -t tmpfs tmpfs /tmp"], { stdio: "ignore" });
    return false;
  } catch {
    return "a file system of a given size needs `unshare` and the right to mount";
  }
}

for (const kind of kinds) {
  test(
    `${kind.name}: a full disk refuses what does not fit, loses nothing that was acknowledged, ends no process, and space that comes back is used`,
    { skip: skipReason() },
    async (t) => {
      const at = mkdtempSync(path.join(tmpdir(), "holdfast-full-"));
      t.after(() => rmSync(at, { recursive: true }));
      const files = await Promise.all(
        kind.disks.map(async (size, i) => {
          const directory = mkdtempSync(path.join(at, String(i)));
          const args = ["--mount", "sh", "-c", mount, "sh", size, directory, process.execPath, program, kind.name];
          const { stdout } = await run("unshare", args);
          return JSON.parse(stdout) as unknown;
        }),
      );
      const full = `the disk is full: free space in the ${kind === lmdb ? "directory" : "file"}'s file system`;
      for (const told of files) {
        assert.deepEqual(told, {
          refusals: [`UNAVAILABLE for now: ${full}`],
          acknowledgedWhileFull: true,
          lost: 0,
          locked: true,
          deleted: true,
          reopened: true,
          more: true,
          grew: true,
        });
      }
    },
  );
}

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { lmdbBackend } from "../../../src/backends/lmdb/index.ts";
import { networkFileSystem } from "../../../src/backends/machine/local-disk.ts";
import { isHoldfastError, type ErrorCode } from "../../../src/base/errors.ts";
import { lmdb } from "../machine/support/kinds.ts";
import { record, results, run, Scene } from "../machine/support/processes.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-dir-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function refusal(directory: string, code: ErrorCode, says: RegExp): Promise<void> {
  const backend = lmdbBackend({ path: directory });
  const refused = (error: unknown): boolean => {
    assert.ok(isHoldfastError(error, code), String(error));
    assert.match(error.message, says);
    assert.equal(error.backend, "lmdb");
    return true;
  };
  await assert.rejects(backend.open(), refused);
  // A call that opens it finds the same.
  const outcome = await run(backend.session(), { ops: [{ op: "get", key: record("k") }] });
  assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent && refused(outcome.error));
  await backend.close();
}

/** Mounts a small file system, where the tests may; otherwise the test is skipped, saying so. */
function mount(t: TestContext, options: string): string | undefined {
  const directory = mkdtempSync(path.join(tmpdir(), "holdfast-mount-"));
  let mounted = true;
  t.after(() => {
    if (mounted) execFileSync("umount", ["-l", directory]);
    rmSync(directory, { recursive: true });
  });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", directory], { stdio: "pipe" });
  } catch {
    mounted = false;
    t.skip("needs to mount a file system, which takes root");
    return undefined;
  }
  return directory;
}

test("options that cannot be are refused before anything is touched", () => {
  const invalid = (error: unknown): boolean => isHoldfastError(error, "INVALID_ARGUMENT");
  assert.throws(() => lmdbBackend({ path: "" }), invalid);
  assert.throws(() => lmdbBackend({ path: "a\0b" }), invalid);
  assert.throws(() => lmdbBackend({ path: 7 as unknown as string }), invalid);
  assert.throws(() => lmdbBackend({ path: "x", mapSize: 1.5 }), invalid);
});

test("a directory is made with those above it, also one whose path is long or has a dot", async (t) => {
  const root = temporary(t);
  for (const name of ["a/b/c", "data.d", `${"long".repeat(30)}/${"path".repeat(30)}`]) {
    const backend = lmdbBackend({ path: path.join(root, name) });
    const { domain } = await backend.open();
    await results(backend.session(), { op: "set", key: record("k"), id: "1", value: name });
    await backend.close();
    const again = lmdbBackend({ path: path.join(root, name) });
    assert.equal((await again.open()).domain, domain);
    const [found] = await results(again.session(), { op: "get", key: record("k") });
    assert.equal((found as { value: string }).value, name);
    await again.close();
  }
});

test("a file in the place of the directory is refused", async (t) => {
  const root = temporary(t);
  writeFileSync(path.join(root, "file"), "");
  await refusal(path.join(root, "file"), "INVALID_ARGUMENT", /is a file: name a directory/);
  await refusal(path.join(root, "file", "below"), "INVALID_ARGUMENT", /is a file: name a directory/);
});

test("data of another program is refused, and not touched", async (t) => {
  const root = temporary(t);
  const { open } = await import("lmdb");
  const other = open({ path: path.join(root, "data.mdb"), noSubdir: true });
  await other.put("theirs", 1);
  await other.close();
  const before = readFileSync(path.join(root, "data.mdb"));
  await refusal(root, "INVALID_ARGUMENT", /of another program/);
  assert.deepEqual(readFileSync(path.join(root, "data.mdb")), before);
});

test("a newer format, a broken marker and a broken data file are told apart", async (t) => {
  const root = temporary(t);
  const marker = path.join(root, "holdfast.json");
  writeFileSync(marker, JSON.stringify({ format: 99, domain: "d" }));
  await refusal(root, "INVALID_ARGUMENT", /newer version \(format 99, known is 1\)/);
  writeFileSync(marker, "{");
  await refusal(root, "INVALID_ARGUMENT", /holdfast\.json cannot be read/);
  writeFileSync(marker, JSON.stringify({ format: 1, domain: "d" }));
  writeFileSync(path.join(root, "data.mdb"), "no data of LMDB".repeat(1_000));
  await refusal(root, "INVALID_ARGUMENT", /another program or version, or damaged/);
});

test(
  "a directory that may not be written is refused",
  { skip: process.getuid?.() === 0 && "root may write it" },
  async (t) => {
    const root = temporary(t);
    chmodSync(root, 0o500);
    await refusal(root, "INVALID_ARGUMENT", /may not be written/);
  },
);

test("a read-only file system is refused", async (t) => {
  const root = mount(t, "size=1m");
  if (root === undefined) return;
  mkdirSync(path.join(root, "data"));
  execFileSync("mount", ["-o", "remount,ro", root]);
  await refusal(path.join(root, "data"), "INVALID_ARGUMENT", /read-only file system/);
});

test("network file systems are known by their type, and FUSE by its mount", () => {
  const unknown = (): undefined => undefined;
  assert.equal(networkFileSystem(0x6969, unknown), "NFS");
  assert.equal(networkFileSystem(0xff534d42, unknown), "CIFS");
  assert.equal(networkFileSystem(0xff534d42 | 0, unknown), "CIFS", "statfs may give it as a negative number");
  assert.equal(
    networkFileSystem(0x65735546, () => "fuse.sshfs"),
    "fuse.sshfs",
  );
  assert.equal(
    networkFileSystem(0x65735546, () => "fuse.gocryptfs"),
    undefined,
  );
  assert.equal(networkFileSystem(0xef53, unknown), undefined);
});

test("a full disk fails writes without a trace of them, and they succeed when there is room", async (t) => {
  const root = mount(t, "size=4m");
  if (root === undefined) return;
  const backend = lmdbBackend({ path: path.join(root, "data") });
  t.after(() => backend.close());
  const session = backend.session();
  writeFileSync(path.join(root, "ballast"), Buffer.alloc(1_500_000));
  const value = "x".repeat(100_000);
  let stored = 0;
  let full: unknown;
  while (full === undefined && stored < 100) {
    const outcome = await run(session, { ops: [{ op: "set", key: record(`k${stored}`), id: "1", value }] });
    if (outcome.ok) stored++;
    else full = outcome;
  }
  const { sent, error } = full as { sent: boolean; error: Error };
  assert.ok(isHoldfastError(error, sent ? "INDETERMINATE" : "UNAVAILABLE"), String(error));
  assert.match(error.message, /disk is full/);
  assert.ok(stored > 0);
  const [missing] = await results(session, { op: "get", key: record(`k${stored}`) });
  assert.equal(missing, undefined);
  rmSync(path.join(root, "ballast"));
  await results(session, { op: "set", key: record(`k${stored}`), id: "1", value });
  for (let i = 0; i <= stored; i++) {
    const [found] = await results(session, { op: "get", key: record(`k${i}`) });
    assert.equal((found as { value: string }).value, value);
  }
});

test("a second thread of the process is refused, and may have the directory once the first is done", async (t) => {
  const scene = new Scene(t, lmdb);
  const backend = await scene.backend();
  await backend.open();
  const open = async (): Promise<string> => {
    const worker = new Worker(new URL("./support/second-thread.ts", import.meta.url), {
      workerData: path.join(scene.folder, "data"),
    });
    return new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
  };
  assert.match(await open(), /UNSUPPORTED.*open in another thread of this process/);
  await backend.close();
  assert.equal(await open(), "opened");
});

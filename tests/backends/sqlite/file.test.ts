import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { loadDriver } from "../../../src/backends/sqlite/driver.ts";
import { sqliteBackend, type SqliteOptions } from "../../../src/backends/sqlite/index.ts";
import { isHoldfastError, type ErrorCode } from "../../../src/base/errors.ts";
import { record, results, run } from "../machine/support/processes.ts";

const driver = await loadDriver();

function temporary(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function refusal(file: string, code: ErrorCode, says: RegExp): Promise<void> {
  const backend = sqliteBackend({ path: file });
  const refused = (error: unknown): boolean => {
    assert.ok(isHoldfastError(error, code), String(error));
    assert.match(error.message, says);
    assert.equal(error.backend, "sqlite");
    return true;
  };
  await assert.rejects(backend.open(), refused);
  // A call that opens it finds the same.
  const outcome = await run(backend.session(), { ops: [{ op: "get", key: record("k") }] });
  assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent && refused(outcome.error));
  await backend.close();
}

/** The value that was saved under a key, by a backend of its own that is closed again. */
async function saved(options: SqliteOptions, key: string, value?: string): Promise<unknown> {
  const backend = sqliteBackend(options);
  try {
    const session = backend.session();
    if (value !== undefined) await results(session, { op: "set", key: record(key), id: "1", value });
    const [found] = await results(session, { op: "get", key: record(key) });
    return (found as { value: string } | undefined)?.value;
  } finally {
    await backend.close();
  }
}

test("options that cannot be are refused before anything is touched", () => {
  const invalid = (error: unknown): boolean => isHoldfastError(error, "INVALID_ARGUMENT");
  for (const file of ["", ":memory:", "a\0b", 7 as unknown as string]) {
    assert.throws(() => sqliteBackend({ path: file }), invalid);
  }
  for (const prefix of ["", "1x", 'a"b', "x".repeat(32)])
    assert.throws(() => sqliteBackend({ path: "x", prefix }), invalid);
});

test("a file is made with the directories above it, also one whose path is long or has a dot, and keeps its id", async (t) => {
  const root = temporary(t);
  for (const name of ["a/b/c", "data.d", `${"long".repeat(30)}/${"path".repeat(30)}`]) {
    const options = { path: path.join(root, name) };
    const backend = sqliteBackend(options);
    const { domain } = await backend.open();
    await backend.close();
    assert.equal(await saved(options, "k", name), name);
    const again = sqliteBackend(options);
    assert.equal((await again.open()).domain, domain);
    await again.close();
  }
});

test("stores of two prefixes in one file know nothing of each other", async (t) => {
  const file = path.join(temporary(t), "data.db");
  assert.equal(await saved({ path: file }, "k", "ours"), "ours");
  assert.equal(await saved({ path: file, prefix: "b_" }, "k"), undefined);
  const [one, other] = [sqliteBackend({ path: file }), sqliteBackend({ path: file, prefix: "b_" })];
  t.after(() => Promise.all([one.close(), other.close()]));
  const [first, second] = await Promise.all([one.open(), other.open()]);
  assert.notEqual(first.domain, second.domain);
});

test("what is no plain file is refused, and told apart", async (t) => {
  const root = temporary(t);
  await refusal(root, "INVALID_ARGUMENT", /is a directory: name a file in it/);
  writeFileSync(path.join(root, "file"), "");
  await refusal(path.join(root, "file", "below"), "INVALID_ARGUMENT", /leads through a file/);
  symlinkSync(path.join(root, "nothing"), path.join(root, "link"));
  await refusal(path.join(root, "link"), "INVALID_ARGUMENT", /is a link to nothing/);
});

test("by whatever link it is named, a file is one store", async (t) => {
  const root = temporary(t);
  const [file, link] = [path.join(root, "data.db"), path.join(root, "link.db")];
  assert.equal(await saved({ path: file }, "k", "v"), "v");
  symlinkSync(file, link);
  const [one, other] = [sqliteBackend({ path: file }), sqliteBackend({ path: link })];
  t.after(() => Promise.all([one.close(), other.close()]));
  await Promise.all([one.open(), other.open()]);
  await results(one.session(), { op: "set", key: record("k"), id: "2", value: "w" });
  const [found] = await results(other.session(), { op: "get", key: record("k") });
  assert.equal((found as { value: string }).value, "w");
});

test("a file that is no database is refused, and not touched", async (t) => {
  const file = path.join(temporary(t), "notes.txt");
  const text = "no database of SQLite".repeat(1_000);
  writeFileSync(file, text);
  await refusal(file, "INVALID_ARGUMENT", /is no database of SQLite: choose another path/);
  assert.equal(readFileSync(file, "utf8"), text);
});

test("tables of a newer version are refused, and not touched", async (t) => {
  const file = path.join(temporary(t), "data.db");
  await saved({ path: file }, "k", "v");
  const other = driver.open(file, false);
  other.exec("UPDATE holdfast_meta SET value = '99' WHERE name IN ('schema', 'works_for')");
  await refusal(file, "UNSUPPORTED", /of version 99, made by a newer version of this package/);
  assert.equal(other.prepare("SELECT value FROM holdfast_meta WHERE name = 'schema'").get()?.["value"], "99");
  other.close();
});

test("a table that was dropped is told, not replaced by an empty one", async (t) => {
  const file = path.join(temporary(t), "data.db");
  await saved({ path: file }, "k", "v");
  const other = driver.open(file, false);
  other.exec("DROP TABLE holdfast_locks");
  other.close();
  await refusal(file, "UNSUPPORTED", /holdfast_locks is gone, though made before.*restore the file from a backup/);
});

test("tables of an application live beside ours in one file", async (t) => {
  const file = path.join(temporary(t), "app.db");
  const app = driver.open(file, false);
  t.after(() => app.close());
  app.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT); INSERT INTO orders VALUES (1, 'new')");
  assert.equal(await saved({ path: file }, "k", "v"), "v");
  assert.equal(app.prepare("SELECT state FROM orders").get()?.["state"], "new");
});

test("a file, or a directory, that may not be written is refused", { skip: unprivileged() }, async (t) => {
  const mounted = mkdtempSync(path.join(tmpdir(), "holdfast-mount-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=32m", "tmpfs", mounted]);
  t.after(() => {
    execFileSync("umount", ["-l", mounted]);
    rmSync(mounted, { recursive: true });
  });
  await saved({ path: path.join(mounted, "data.db") }, "k", "v");
  execFileSync("mount", ["-o", "remount,ro", mounted]);
  await refusal(path.join(mounted, "data.db"), "INVALID_ARGUMENT", /is on a read-only file system/);
  await refusal(path.join(mounted, "other.db"), "INVALID_ARGUMENT", /is on a read-only file system/);
});

function unprivileged(): string | false {
  return process.getuid?.() === 0 ? false : "needs to mount a file system, which takes root";
}

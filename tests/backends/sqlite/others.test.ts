import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { loadDriver, type Connection } from "../../../src/backends/sqlite/driver.ts";
import { space } from "../../../src/base/keys.ts";
import type { Outcome, StoredRecord } from "../../../src/port/index.ts";
import { connect, examine } from "../../../src/entries/index.ts";
import { sqlite } from "../machine/support/kinds.ts";
import { until } from "../../support/servers/until.ts";
import { lock, record, results, run, Scene } from "../machine/support/processes.ts";

// Other programs that have the file open, as they may.

const driver = await loadDriver();

function otherProgram(scene: Scene, readOnly = false): Connection {
  return driver.open(sqlite.file(scene.folder), readOnly);
}

const set = (key: string, value: string | Uint8Array = "v") =>
  ({ op: "set", key: record(key), id: "1", value }) as const;

test("while another program holds a transaction that writes, calls end by their deadlines with nothing done, reads go on, and who has time gets through", async (t) => {
  const scene = new Scene(t, sqlite);
  const session = await scene.session();
  await results(session, set("k", "before"));
  const other = otherProgram(scene);
  other.exec("BEGIN IMMEDIATE");
  const start = performance.now();
  // The second and the third are one batch, once the thread has given up the first.
  const first = run(session, { ops: [set("k", "late")] }, 200);
  const second = run(session, { ops: [set("l", "late")] }, 600);
  const patient = run(session, { ops: [set("patient")] });
  const hasty = await Promise.all([first, second]);
  assert.ok(performance.now() - start < 4_500);
  for (const outcome of hasty) {
    assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent);
    assert.match(outcome.error.message, /not (?:written|sent) in time/);
  }
  const now = session.executeNow?.({ ops: [{ op: "get", key: record("k") }] });
  assert.ok(now?.ok, "reads wait for nobody");
  other.exec("COMMIT");
  assert.ok((await patient).ok);
  const found = await results(session, { op: "get", key: record("k") }, { op: "get", key: record("l") });
  assert.deepEqual(
    found.map((one) => (one as { value: string } | undefined)?.value),
    ["before", undefined],
  );
  other.close();
});

test("a file that another program keeps locked is told as such to whoever opens it, and opened once it is free", async (t) => {
  const scene = new Scene(t, sqlite);
  const other = otherProgram(scene);
  other.exec("CREATE TABLE theirs (a); BEGIN EXCLUSIVE");
  const backend = await scene.backend();
  await assert.rejects(backend.open(), {
    code: "UNAVAILABLE",
    message: /another program holds a transaction that writes/,
  });
  other.exec("COMMIT");
  await backend.open();
  other.close();
});

test("a trigger of the application that refuses a row spoils no other group of its batch", async (t) => {
  const scene = new Scene(t, sqlite);
  const session = await scene.session();
  await results(session, set("first"));
  const other = otherProgram(scene);
  other.exec(`CREATE TRIGGER no_bad BEFORE INSERT ON holdfast_records WHEN new.key = 'bad'
    BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END`);
  other.close();
  const groups = ["a", "bad", "b"].map((key) => ({ ops: [set(key)] }));
  const outcomes = await session.execute(groups, { deadline: performance.now() + 20_000, claim: () => true });
  assert.deepEqual(
    outcomes.map((outcome) => outcome.ok),
    [true, false, true],
  );
  const [, failed] = outcomes as readonly [Outcome, Outcome, Outcome];
  assert.ok(!failed.ok && failed.why === "failed" && !failed.sent);
});

test("people find state by its key and by what is in it, and what is no JSON is NULL", async (t) => {
  const scene = new Scene(t, sqlite);
  const hf = await connect(scene.url, { service: "shop" });
  t.after(() => hf.close());
  const orders = hf.state("orders");
  await orders.save("o-1", { total: 30, paid: true });
  await orders.save("o-2", { total: 70, paid: false });
  await orders.save("o-3", "half of a character: \ud800");
  await hf.cache("prices", { ttl: "never" }).set("p", { total: 1 });
  await results(await scene.session(), set("bytes", new Uint8Array([1, 2, 3])), set("text", "no JSON"));
  const other = otherProgram(scene, true);
  const one = other.prepare("SELECT data ->> 'total' AS total FROM holdfast_records WHERE key = 'o-2'").get();
  assert.equal(one?.["total"], 70);
  const paid = other
    .prepare("SELECT key FROM holdfast_records WHERE space = 's4:shop6:orders' AND data ->> 'paid'")
    .all();
  assert.deepEqual(
    paid.map((row) => row["key"]),
    ["o-1"],
  );
  const none = other
    .prepare("SELECT key FROM holdfast_records WHERE data IS NULL AND space NOT LIKE 't%' ORDER BY key")
    .all();
  assert.deepEqual(
    none.map((row) => row["key"]),
    ["bytes", "p", "text"],
  );
  const odd = other.prepare("SELECT data FROM holdfast_records WHERE key = 'o-3'").get();
  assert.equal(JSON.parse(odd?.["data"] as string), "half of a character: \ud800");
  other.close();
});

test("an index of the application on what is in its state is used and kept", async (t) => {
  const scene = new Scene(t, sqlite);
  const hf = await connect(scene.url);
  t.after(() => hf.close());
  const store = hf.state<{ n: number }>("s");
  await store.save("a", { n: 1 });
  const other = otherProgram(scene);
  other.exec("CREATE INDEX by_n ON holdfast_records (data ->> 'n') WHERE format = 2");
  await Promise.all(Array.from({ length: 50 }, (_, i) => store.save(`k${i}`, { n: i })));
  const query = "SELECT key FROM holdfast_records WHERE data ->> 'n' = 40 AND format = 2";
  assert.match(JSON.stringify(other.prepare(`EXPLAIN QUERY PLAN ${query}`).all()), /USING INDEX by_n/);
  assert.equal(other.prepare(query).get()?.["key"], "k40");
  other.close();
});

test("the log of writes grows while somebody keeps a snapshot, which doctor tells, and begins anew after that", async (t) => {
  const scene = new Scene(t, sqlite);
  const session = await scene.session();
  await results(session, set("first"));
  const reader = otherProgram(scene, true);
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM holdfast_records").get();
  const log = `${sqlite.file(scene.folder)}-wal`;
  // What is the same as before is not written again.
  const value = (i: number): Uint8Array => new Uint8Array(8 * 1024 * 1024).fill(i);
  for (let i = 1; i < 18; i++) await results(session, set(`k${i % 4}`, value(i)));
  const grown = statSync(log).size;
  assert.ok(grown > 128 * 1024 * 1024);
  const told = await examine(scene.url);
  const finding = told.findings.find(({ what }) => what.includes("in the log of writes"));
  assert.equal(finding?.level, "risk");
  reader.exec("COMMIT");
  for (let i = 0; statSync(log).size > grown / 2; i++) {
    await results(session, set("small", `${i}`));
    await pause(50);
    assert.ok(i < 200, "it never began anew");
  }
  reader.close();
});

test("another thread of the process, with a copy of its own, shares the file", async (t) => {
  const scene = new Scene(t, sqlite);
  const session = await scene.session();
  const ask = { op: "acquire", lock: lock("l"), mode: "exclusive", ttl: 60_000, info: "" } as const;
  await results(session, { ...ask, owner: "here" });
  const program = `
    import { parentPort, workerData } from "node:worker_threads";
    const { connect } = await import(workerData.entries);
    const hf = await connect(workerData.url);
    await hf.state("records").save("k", "theirs");
    await hf.close();
    parentPort.postMessage("done");`;
  const entries = new URL("../../../src/entries/index.ts", import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`), {
    workerData: { entries, url: scene.url },
  });
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const outcome = await run(session, { ops: [{ ...ask, owner: "next" }] });
  assert.ok(!outcome.ok && outcome.why === "held", "what this thread holds is not over");
  const [found] = await results(session, { op: "get", key: { ...record("k"), space: space("state", "", "records") } });
  assert.equal((found as { value: string }).value, '"theirs"');
});

test("a table that is dropped under a running process is told to its calls, and ends no process", async (t) => {
  const scene = new Scene(t, sqlite);
  const session = await scene.session();
  await session.signals?.subscribe({ topic: "t" }, () => undefined);
  await session.signals?.subscribe({ changes: record("").space, prefix: "" }, () => undefined);
  const other = otherProgram(scene);
  other.exec("ALTER TABLE holdfast_meta RENAME TO gone");
  const outcome = await run(session, { ops: [set("k")] });
  assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent);
  assert.match(outcome.error.message, /no such table: .*holdfast_meta/);
  await pause(700); // signals are looked for twice a second by a timer
  other.exec("ALTER TABLE gone RENAME TO holdfast_meta");
  await results(session, set("k"));
  other.close();
});

/** A session that has written to a file which is gone, and a process that opens what is there instead. */
async function replaced(t: TestContext) {
  const scene = new Scene(t, sqlite);
  const session = await scene.session();
  await results(session, set("k", "old"));
  const file = sqlite.file(scene.folder);
  for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  return { session, child: await scene.child() };
}

test("a file that is replaced while it is open is no store any more: what is there instead is opened", async (t) => {
  const { session, child } = await replaced(t);
  const held = { op: "acquire", lock: lock("l"), owner: "child", mode: "exclusive", ttl: 60_000, info: "" } as const;
  assert.ok((await child.execute(held)).ok);
  let outcome: Outcome;
  do {
    outcome = await run(session, { ops: [{ ...held, owner: "here" }] });
  } while (!outcome.ok && outcome.why === "failed" && !outcome.sent);
  assert.ok(!outcome.ok && outcome.why === "held", "it was granted in a file that nobody finds");
  const [found] = await results(session, { op: "get", key: record("k") });
  assert.equal(found, undefined);
});

test("who only reads finds what is there instead of a file that was replaced", async (t) => {
  const { session, child } = await replaced(t);
  assert.ok((await child.execute(set("k", "new"))).ok);
  await until("it reads what is there", async () => {
    const outcome = await run(session, { ops: [{ op: "get", key: record("k") }] });
    if (!outcome.ok) return false;
    return (outcome.results[0] as StoredRecord | undefined)?.value === "new";
  });
});

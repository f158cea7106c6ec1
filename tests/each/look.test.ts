import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { WriteStream } from "node:tty";
import { gzipSync } from "node:zlib";
import { DemoScreen } from "../../src/cli/demo/screen.ts";
import { each, eachStatus, InputError, previewEach } from "../../src/entries/each.ts";
import { start } from "./running.ts";
import { benchFor, folderFor, makeLines, memoryFor } from "./support.ts";

// What `each` would do, and what it has done, without doing anything.

const table = 'id;account\n1;ann\n2;"bob\nby"\n\n3\n4;\n5;eve\n';

test("a preview shows the first items as a handler would get them, and what would be a dead letter", async (t) => {
  const file = path.join(folderFor(t), "a.csv.gz");
  writeFileSync(file, gzipSync(table));
  const preview = await previewEach(file, { delimiter: ";", key: "account" });
  assert.deepEqual(preview, {
    format: "csv",
    compression: "gzip",
    encoding: "utf-8",
    delimiter: ";",
    columns: ["id", "account"],
    bytes: table.length,
    items: [
      { id: 1, line: 2, key: "ann", item: { id: "1", account: "ann" } },
      { id: 2, line: 3, key: "bob\nby", item: { id: "2", account: "bob\nby" } },
      { id: 3, line: 6, error: "the row has 1 fields, the header has 2" },
      { id: 4, line: 7, error: 'the item has no key in the field "account"', item: { id: "4", account: "" } },
      { id: 5, line: 8, key: "eve", item: { id: "5", account: "eve" } },
    ],
  });
  assert.equal((await previewEach(file, { delimiter: ";", items: 2 })).items.length, 2);
  await assert.rejects(previewEach(file), (error) => error instanceof InputError && error.line === 1);
  await assert.rejects(previewEach(file, { items: 1_001 }), /items must be a whole number from 0 to 1000/);
  const stream = (async function* () {
    yield await Promise.resolve('{"n":9007199254740993}\n');
  })();
  const big = await previewEach(stream, { bigIntegers: "bigint", key: "n" });
  assert.deepEqual(big.items, [{ id: 1, line: 1, key: "9007199254740993", item: { n: 9007199254740993n } }]);
});

test("a job's status: nothing, half of it, dead letters, all of it", async (t) => {
  const lines = makeLines(60, 6);
  const bench = await benchFor(t, lines);
  const { hf, input } = bench;
  const handler = function settle(): void {};
  assert.equal(await eachStatus({ store: hf, job: "job" }), undefined);
  assert.equal(await eachStatus({ store: hf, input, handler }), undefined);
  const stop = new AbortController();
  const stops = async (): Promise<void> => {
    stop.abort();
    await setImmediate();
  };
  await bench.run(stops, { concurrency: 1, partitions: 2, signal: stop.signal });
  const half = await eachStatus({ store: hf, job: "job" });
  assert.ok(half && half.done > 0 && half.done < 60 && half.part < 1, JSON.stringify(half));
  assert.deepEqual(
    [half.state, half.key, half.format, half.partitions, half.workers],
    ["open", "account", "jsonl", 2, 0],
  );
  const fails = ({ id }: { readonly id: number }): void => {
    if (id > 57) throw new RangeError("late");
  };
  await bench.run(fails, { onDead: "continue" });
  const dead = await eachStatus({ store: hf, job: "job", deadLetters: 2 });
  assert.ok(dead);
  assert.deepEqual([dead.state, dead.done, dead.dead, dead.part, dead.finished], ["dead", 57, 3, 1, 2]);
  assert.equal(dead.letters.length, 2);
  assert.deepEqual(dead.letters[0]?.error, { name: "RangeError", message: "late" });
  await each(input, handler, { store: hf });
  assert.equal((await eachStatus({ store: hf, input, handler }))?.state, "done");
  await assert.rejects(eachStatus({ store: hf }), /which job is meant/);
  await assert.rejects(eachStatus({ store: hf, job: "job", deadLetters: -1 }), /deadLetters must be/);
  const other = await memoryFor(t);
  await other.state("holdfast-each job").save("job", "no job");
  await assert.rejects(eachStatus({ store: other, job: "job" }), { code: "CORRUPT_VALUE" });
});

test("the command: a dry run, a handler in TypeScript, the status", async (t) => {
  const folder = folderFor(t);
  writeFileSync(
    path.join(folder, "a.jsonl"),
    '{"id":1,"account":"ann"}\n{"id":12345678901234567890,"account":"bob"}\n',
  );
  writeFileSync(
    path.join(folder, "settle.ts"),
    'interface Item { readonly id: number }\nexport default (item: Item): void => { if (typeof item.id === "bigint") throw new Error("big"); };\n',
  );
  const run = (...args: string[]): ReturnType<typeof start>["ended"] => start(t, ["each", ...args], folder).ended;
  const options = ["--key", "account", "--big-integers", "bigint"];
  const dry = await run("a.jsonl", "--dry-run", ...options);
  assert.deepEqual([dry.code, dry.err], [0, ""]);
  assert.match(
    dry.out,
    /item 2, line 2, key "bob"\n {2}\{ id: 12345678901234567890n, account: 'bob' \}\ndry run: nothing was/,
  );
  assert.equal(existsSync(path.join(folder, ".holdfast")), false);
  const none = await run("--status", "--job", "a.jsonl settle.ts");
  assert.deepEqual([none.code, none.out], [2, ""]);
  assert.match(none.err, /no such job in file:/);
  const all = await run("a.jsonl", "--do", "settle.ts", "--processes", "1", "--retries", "0", "-q", ...options);
  assert.equal(all.code, 1, all.err);
  const status = await run("a.jsonl", "--do", "settle.ts", "--status");
  assert.equal(status.code, 1);
  assert.match(
    status.out,
    /^job "a.jsonl settle.ts": all came to an end, some as dead letters\n1 item done, 1 dead letter\n/,
  );
  assert.match(status.out, /item 2 \(key "bob"\) failed for good: Error: big \(1 attempt\)/);
});

test("a handler that is not there is refused before there is a job", async (t) => {
  const hf = await memoryFor(t);
  const input = path.join(folderFor(t), "a.jsonl");
  writeFileSync(input, "1\n");
  await assert.rejects(
    each(input, `${input}.mjs`, { store: hf, job: "job", processes: 0 }),
    /cannot be loaded: there is no such/,
  );
  assert.equal(await eachStatus({ store: hf, job: "job" }), undefined);
});

test("the demo does not tell that finished partitions are given up", () => {
  let out = "";
  const stream = new Writable({
    write(text: Buffer, _, done) {
      out += text.toString();
      done();
    },
  }) as WriteStream;
  const screen = new DemoScreen(stream, 2);
  screen.event({ type: "finished", worker: 0, partition: 0 });
  screen.event({ type: "given", worker: 0, partition: 0 });
  screen.event({ type: "given", worker: 0, partition: 1 });
  screen.say("end");
  screen.end();
  assert.match(out, /^.*worker 0 gave up partition 1\n.*end\n$/);
});

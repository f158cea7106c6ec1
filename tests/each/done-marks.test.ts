import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { tagOf } from "../../src/base/tags.ts";
import { Commit } from "../../src/each/commit.ts";
import type { SentGroup, Step } from "../../src/state/commit.ts";
import { DoneMarks } from "../../src/each/done-marks.ts";
import { Item } from "../../src/each/item.ts";
import { noCounts } from "../../src/each/progress.ts";
import { Records } from "../../src/each/records.ts";
import { sendApart } from "../../src/each/send.ts";
import { each, type Handler } from "../../src/entries/each.ts";
import { connect, json } from "../../src/entries/index.ts";
import { memory } from "../../src/entries/memory.ts";
import { declaring } from "../../src/testing/state/client.ts";
import {
  accountsOf,
  book,
  folderFor,
  makeLines,
  memoryFor,
  serial,
  sorted,
  writeLines,
  type Account,
  type Line,
} from "./support.ts";

const item = (id: number, key = "k"): Item => new Item(id, 0, key, "", undefined);

test("a mark is kept while items of its key are under way, lingers, and is removed", async (t) => {
  const store = (await memoryFor(t)).state("marks");
  let now = 0;
  const marks = new DoneMarks(store, 1, 0, () => now);
  for (const one of [item(1), item(2)]) await marks.hold(one);
  const first = marks.add("k", [1]);
  assert.equal(first.step.base, null);
  first.sent("v1");
  const second = marks.add("k", [2]);
  assert.deepEqual([second.step.base, second.step.write], ["v1", { value: { ids: [1, 2], round: 0 }, ttl: undefined }]);
  second.sent("v2");
  marks.free(item(1), true);
  now += 60_000;
  assert.deepEqual(marks.tidy(), [], "the second item is under way");
  marks.free(item(2), true);
  assert.deepEqual(marks.tidy(), [], "a replica may yet know less");
  now += 2_000;
  const [removal, ...more] = marks.tidy();
  assert.deepEqual([removal?.step.base, removal?.step.write, more.length], ["v2", "delete", 0]);
  assert.deepEqual(marks.tidy(), []);
});

test("a mark that was there tells what has committed, but not of items before the watermark", async (t) => {
  const store = (await memoryFor(t)).state("marks");
  await store.save("k", { ids: [3, 7, 8], round: 0 });
  const marks = new DoneMarks(store, 5, 0, () => 0);
  for (const one of [item(7), item(9)]) await marks.hold(one);
  assert.deepEqual([marks.has(item(7)), marks.has(item(8)), marks.has(item(9))], [true, true, false]);
  assert.deepEqual(marks.add("k", [9]).step.write, { value: { ids: [7, 8, 9], round: 0 }, ttl: undefined });
  assert.equal(marks.hold(item(1, "other")) instanceof Promise, true);
});

test("a mark that could not be loaded is loaded by the next who needs it", async (t) => {
  const hf = await memoryFor(t);
  const store = hf.state("marks");
  let failing = true;
  t.mock.method(store, "loadEntry", async () => {
    if (failing) throw new Error("away");
    return undefined;
  });
  const marks = new DoneMarks(store, 1, 0, () => 0);
  await assert.rejects(async () => marks.hold(item(1)), /away/);
  failing = false;
  await marks.hold(item(1));
  assert.equal(marks.hold(item(1)), undefined);
});

test("marks are removed in groups that the store takes, also where all have one tag", async (t) => {
  const hf = await memoryFor(t);
  const store = hf.state("marks");
  let now = 0;
  const marks = new DoneMarks(store, 1, 0, () => now);
  const maxSteps = 10;
  const sent: (readonly Step[])[] = [];
  const take = (steps: readonly Step[]): SentGroup => ({ versions: steps.map(() => "v"), done: Promise.resolve() });
  const apart = (steps: readonly Step[]): SentGroup => {
    sent.push(steps);
    return take(steps);
  };
  const step = (): Step => ({ store, key: "partition/0", base: null });
  const to = {
    record: { lease: await hf.lock("test").acquire("partition/0"), step },
    records: new Records(json),
    committer: { maxSteps, send: take, sendApart: apart },
  };
  for (let id = 1; id <= 24; id++) {
    const idle = item(id, `${id % 2 === 0 ? "{even}" : "{odd}"}${id}`);
    await marks.hold(idle);
    marks.add(idle.key ?? "", [id]).sent("v");
    marks.free(idle, true);
  }
  now += 60_000;
  const commit = new Commit(() => undefined);
  for (let id = 101; id <= 107; id++) {
    const own = item(id, `{even}${id}`);
    await marks.hold(own);
    commit.add(own);
    commit.mark(own.key ?? "", id);
  }
  const position = { id: 1, offset: 0 };
  const progress = { next: position, above: [], end: false, counts: noCounts, round: 0 };
  const last = { progress, version: null };
  await sendApart(to, marks, commit, last, { progress, steps: [] }, Promise.resolve()).done;
  assert.equal(sent.flat().length, 31);
  assert.ok(sent.every((steps) => steps.length <= maxSteps && new Set(steps.map(({ key }) => tagOf(key))).size === 1));
  const own = sent.filter((steps) => steps.some(({ write }) => write !== "delete"));
  assert.deepEqual(
    own.map((steps) => steps.filter(({ write }) => write !== "delete").length),
    [7],
    "what items have written is one group",
  );
});

test("an item whose mark cannot be read is a dead letter, and later ones of its key wait", async (t) => {
  const hf = await connect(declaring(memory(), { transact: "slot" }));
  t.after(() => hf.close());
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  const lines = makeLines(60, 3);
  const input = writeLines(path.join(folderFor(t), "lines.jsonl"), lines);
  const options = { store: hf, job: "job", key: "account", retries: 1, backoff: 1 } as const;
  const books: Handler<Line> = async (line, ctx) => {
    await ctx.state<Account>("accounts").upsert(line.account, (account) => book(account, line));
  };
  await hf.state("holdfast-each-done job").save("a1", "no mark");
  const first = await each(input, books, options);
  const ofKey = lines.filter(({ account }) => account === "a1").length;
  assert.deepEqual([first.outcome, first.dead, first.waiting, first.done], ["dead", 1, ofKey - 1, 60 - ofKey]);
  assert.deepEqual(unhandled, []);
  await hf.state("holdfast-each-done job").delete("a1");
  const mended = await each(input, books, { ...options, retryDead: true });
  assert.deepEqual([mended.outcome, mended.done], ["done", 60]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

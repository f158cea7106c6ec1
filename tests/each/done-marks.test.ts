import assert from "node:assert/strict";
import { test } from "node:test";
import { DoneMarks } from "../../src/each/done-marks.ts";
import { Item } from "../../src/each/item.ts";
import { memoryFor } from "./support.ts";

const item = (id: number, key = "k"): Item => new Item(id, 0, key, "", undefined);

test("a mark is kept while items of its key are under way, lingers, and is removed", async (t) => {
  const store = (await memoryFor(t)).state("marks");
  let now = 0;
  const marks = new DoneMarks(store, 1, 0, () => now);
  for (const one of [item(1), item(2)]) await marks.hold(one);
  const first = marks.add("k", [1]);
  assert.equal(first.change.base, null);
  first.sent("v1");
  const second = marks.add("k", [2]);
  assert.deepEqual(
    [second.change.base, second.change.write],
    ["v1", { value: { ids: [1, 2], round: 0 }, ttl: undefined }],
  );
  second.sent("v2");
  marks.free(item(1), true);
  now += 60_000;
  assert.deepEqual(marks.tidy(), [], "the second item is under way");
  marks.free(item(2), true);
  assert.deepEqual(marks.tidy(), [], "a replica may yet know less");
  now += 2_000;
  const [removal, ...more] = marks.tidy();
  assert.deepEqual([removal?.change.base, removal?.change.write, more.length], ["v2", "delete", 0]);
  assert.deepEqual(marks.tidy(), []);
});

test("a mark that was there tells what has committed, but not of items before the watermark", async (t) => {
  const store = (await memoryFor(t)).state("marks");
  await store.save("k", { ids: [3, 7, 8], round: 0 });
  const marks = new DoneMarks(store, 5, 0, () => 0);
  for (const one of [item(7), item(9)]) await marks.hold(one);
  assert.deepEqual([marks.has(item(7)), marks.has(item(8)), marks.has(item(9))], [true, true, false]);
  assert.deepEqual(marks.add("k", [9]).change.write, { value: { ids: [7, 8, 9], round: 0 }, ttl: undefined });
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

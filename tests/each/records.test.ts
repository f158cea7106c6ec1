import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Commit } from "../../src/each/commit.ts";
import { Context, type ContextParts } from "../../src/each/context.ts";
import { Item } from "../../src/each/item.ts";
import { Records } from "../../src/each/records.ts";
import { json, type Holdfast, type Lease, type StateStore } from "../../src/entries/index.ts";
import { memoryFor } from "./support.ts";

interface World {
  readonly hf: Holdfast;
  readonly store: StateStore<unknown>;
  readonly records: Records;
  attempt(): Context;
}

async function worldFor(t: TestContext): Promise<World> {
  const hf = await memoryFor(t);
  const lease = (await hf.lock("lock").tryAcquire("key")) as Lease;
  const records = new Records(json);
  const handler = (): void => undefined;
  const parts: ContextParts = { hf, handler, records, idPrefix: "", terms: { itemTimeoutMs: undefined } };
  return {
    hf,
    store: hf.state("things"),
    records,
    attempt: () => new Context(new Item(1, 0), undefined, lease, parts),
  };
}

test("a record that an attempt holds stays the only object of its key, whatever is dropped meanwhile", async (t) => {
  const { store, records, attempt } = await worldFor(t);
  const one = attempt();
  await one.state("things").load("a");
  const of = records.of(store);
  const held = records.peek(of, "a");
  assert.ok(held && held === one.uses[0]?.record);
  records.forget();
  for (let i = 0; i < 20_000; i++) records.forWrite(of, `other ${i}`);
  assert.equal(records.peek(of, "a"), held);
  one.release();
  for (let i = 0; i < 20_000; i++) records.forWrite(of, `more ${i}`);
  assert.equal(records.peek(of, "a"), undefined);
});

test("an attempt is not current once what it read was changed or dropped", async (t) => {
  const { store, records, attempt } = await worldFor(t);
  const [reader, writer, blind] = [attempt(), attempt(), attempt()];
  await reader.state("things").load("a");
  await blind.state("things").save("a", 2);
  const record = records.peek(records.of(store), "a");
  assert.ok(record);
  const commit = new Commit(() => commit.close());
  await writer.state("things").load("a");
  assert.ok(reader.isCurrent());
  commit.write(record, "1", undefined);
  assert.ok(!reader.isCurrent());
  assert.ok(blind.isCurrent(), "it has read nothing");
  records.drop(record);
  assert.ok(!blind.isCurrent());
  assert.equal(commit.touches.get(record)?.base, null, "the commit checks that there was none");
});

test("a commit is sent before another builds on what it changed, or changes what it read", async (t) => {
  const { store, records } = await worldFor(t);
  const of = records.of(store);
  const sealed: string[] = [];
  const make = (name: string): Commit => {
    const commit: Commit = new Commit(() => {
      sealed.push(name);
      commit.close();
    });
    return commit;
  };
  const [one, two, three] = [make("one"), make("two"), make("three")];
  const [a, b] = [records.forWrite(of, "a"), records.forWrite(of, "b")];
  one.write(a, "1", undefined);
  two.read(b);
  three.read(b);
  assert.deepEqual(sealed, [], "readers do not mind each other");
  two.read(a);
  assert.deepEqual(sealed, ["one"]);
  two.write(b, "2", undefined);
  assert.deepEqual(sealed, ["one", "three"]);
});

test("what was loaded is a copy; what was dropped is loaded anew", async (t) => {
  const { store, records, attempt } = await worldFor(t);
  await store.save("a", { n: 1 });
  const first = (await attempt().state<{ n: number }>("things").load("a")) as { n: number };
  first.n = 5;
  assert.deepEqual(await attempt().state("things").load("a"), { n: 1 });
  await store.save("a", { n: 2 });
  assert.deepEqual(
    await attempt().state("things").load("a"),
    { n: 1 },
    "as this process knows it: the commit would be refused",
  );
  const record = records.peek(records.of(store), "a");
  assert.ok(record);
  records.drop(record);
  assert.deepEqual(await attempt().state("things").load("a"), { n: 2 });
});

test("after its item was handled an attempt takes no more calls", async (t) => {
  const { attempt } = await worldFor(t);
  const one = attempt();
  const state = one.state("things");
  one.over = true;
  await assert.rejects(state.load("a"), { code: "UNSUPPORTED" });
  await assert.rejects(state.save("a", 1), { code: "UNSUPPORTED" });
});

test("stores of ever new names leave nothing behind", async (t) => {
  const { hf, records } = await worldFor(t);
  for (let i = 0; i < 20_000; i++) records.forWrite(records.of(hf.state(`things of ${i}`)), "a");
  assert.ok(records.stores <= 2 * 4096 + 1, `${records.stores} stores`);
});

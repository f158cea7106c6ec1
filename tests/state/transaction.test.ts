import assert from "node:assert/strict";
import { it } from "node:test";
import { space, type Key } from "../../src/base/keys.ts";
import { StateStore, transact, Transaction, transactionFactory } from "../../src/state/index.ts";
import { leaseOf } from "../../src/testing/state/client.ts";
import { gripOf } from "../../src/client/index.ts";
import { FaultyLine } from "./support.ts";

const own: Key = { space: space("result", "", "own"), key: "r" };

/** A line, an instance and a store behind it, and how a transaction on it is made. */
function stand() {
  const line = new FaultyLine();
  const instance = line.instance();
  const store = line.store<number>({}, instance);
  const begin = () => new Transaction(instance, { call: () => instance.ownCall() });
  const read = async (key: Key) => {
    const reply = await instance.execute({ ops: [{ op: "get", key }] }, instance.ownCall());
    return reply.ok ? reply.results[0] : undefined;
  };
  return { line, instance, store, begin, read };
}

void it("a transaction can be built again and again, and says what it needs and does", async () => {
  const { store, begin } = stand();
  const version = await store.save("a", 1);
  const tx = begin();
  await tx.load(store, "a");
  await tx.load(store, "b");
  tx.save(store, "c", 3);
  tx.delete(store, "d");
  const group = tx.build();
  assert.deepEqual(
    group.ops.map((op) => [op.op, "key" in op ? op.key.key : "", "if" in op ? op.if : undefined]),
    [
      ["check", "a", { id: version }],
      ["check", "b", { absent: true }],
      ["set", "c", undefined],
      ["delete", "d", undefined],
    ],
  );
  assert.deepEqual(tx.build(), group);
  assert.equal((await store.loadMany(["c"])).size, 0, "building writes nothing");
});

void it("what else belongs to a commit is in the same group, and its results come back", async () => {
  const { store, begin, read } = stand();
  const tx = begin();
  await tx.upsert(store, "k", (n) => (n ?? 0) + 1);
  const done = await tx.commit({
    ops: [
      { op: "get", key: own },
      { op: "set", key: own, id: "1", value: "v", if: { absent: true } },
    ],
  });
  assert.deepEqual(done, { ok: true, results: [undefined, undefined] });
  const second = begin();
  await second.upsert(store, "k", (n) => (n ?? 0) + 1);
  const refused = await second.commit({ ops: [{ op: "set", key: own, id: "2", value: "w", if: { absent: true } }] });
  assert.ok(!refused.ok);
  assert.equal(refused.why, "conflict");
  assert.ok(refused.op && "key" in refused.op && refused.op.key === own);
  assert.equal(refused.current?.id, "1");
  assert.deepEqual([await store.load("k"), ((await read(own)) as { id: string }).id], [1, "1"]);
});

void it("only read once is nothing to commit; read and guarded is", async () => {
  const { line, store, begin } = stand();
  await store.save("k", 1);
  const tx = begin();
  assert.equal(await tx.load(store, "k"), 1);
  assert.equal(await tx.load(store, "k"), 1);
  line.next();
  assert.deepEqual(await tx.commit(), { ok: true, results: [] });
  assert.deepEqual(line.sent, []);
});

void it("somebody else's commit takes what the transaction wrote along, or leaves all of it", async () => {
  const { line, instance, store, read } = stand();
  const factory = transactionFactory(instance);
  const call = () => instance.ownCall();
  const lease = await leaseOf(instance, ["lock"]);
  const { locks, owner, grant } = gripOf(lease);
  const guards = locks.map((lock) => ({ lock, owner, grant }));
  const result = (id: string) => ({ guards, ops: [{ op: "set", key: own, id, value: "v" } as const] });

  const first = factory.begin(call);
  first.tx.save(store, "k", 1);
  await first.commit(result("1"), call());
  assert.deepEqual([await store.load("k"), ((await read(own)) as { id: string }).id], [1, "1"]);
  assert.throws(() => first.tx.save(store, "k", 2), { code: "INVALID_ARGUMENT" });

  const stale = factory.begin(call);
  await stale.tx.update(store, "k", (n) => n + 1);
  await line.near<number>().save("k", 5);
  await assert.rejects(stale.commit(result("2"), call()), { code: "CONFLICT", key: "k" });

  const failed = factory.begin(call);
  const error = new Error("of the application");
  await assert.rejects(
    failed.tx.update(store, "k", () => Promise.reject(error)),
    error,
  );
  await assert.rejects(failed.commit(result("3"), call()), error);

  const left = factory.begin(call);
  left.tx.save(store, "k", 7);
  left.abandon();
  left.abandon();
  await assert.rejects(left.tx.load(store, "k"), { code: "INVALID_ARGUMENT" });

  await lease.lose();
  const fenced = factory.begin(call);
  fenced.tx.save(store, "k", 9);
  await assert.rejects(fenced.commit(result("4"), call()), { code: "FENCED" });
  assert.deepEqual([await store.load("k"), ((await read(own)) as { id: string }).id], [5, "1"]);
});

void it("stores of another backend object on the same data belong to it", async () => {
  const { line, instance, store } = stand();
  const other = line.store<number>({ service: "" });
  const tx = new Transaction(instance, { call: () => instance.ownCall() });
  tx.save(other, "k", 1);
  assert.equal(await tx.load(store, "k"), 1, "they are the same records");
  await tx.settled();
  assert.equal((await tx.commit()).ok, true);
  assert.equal(await store.load("k"), 1);
});

void it("a schema that takes its time does not change the order of the writes", async () => {
  const { instance } = stand();
  let delay = 20;
  const schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      async validate(value: unknown) {
        for (let i = (delay -= 5); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
        return { value: value as number };
      },
    },
  } as const;
  const store = new StateStore<number>(instance, "slow", { schema });
  const tx = new Transaction(instance, { call: () => instance.ownCall() });
  tx.save(store, "k", 1);
  tx.save(store, "k", 2);
  tx.delete(store, "l");
  tx.save(store, "l", 3);
  tx.save(store, "m", 4);
  tx.delete(store, "m");
  assert.deepEqual(
    [await tx.load(store, "k"), await tx.load(store, "l"), await tx.load(store, "m")],
    [2, 3, undefined],
  );
  await tx.settled();
  await tx.commit();
  assert.deepEqual(
    [...(await store.loadMany(["k", "l", "m"]))],
    [
      ["k", 2],
      ["l", 3],
    ],
  );
});

void it("of many transactions on one record at once few are sent in vain", async () => {
  const { line, instance, store } = stand();
  await store.save("k", 0);
  line.next();
  const add = async (tx: Transaction): Promise<void> => tx.save(store, "k", ((await tx.load(store, "k")) ?? 0) + 1);
  await Promise.all(Array.from({ length: 100 }, async () => transact(instance, add)));
  assert.equal(await store.load("k"), 100);
  const { length } = line.sent.filter(({ group }) => group.ops.some(({ op }) => op === "set"));
  assert.ok(length <= 20, `${length} were sent`);
});

void it("transactions that read the same and write what nobody reads are all sent, and wait for no turn", async () => {
  const { line, instance, store } = stand();
  await store.save("shared", 1);
  line.next();
  const note = async (tx: Transaction, i: number): Promise<void> => {
    tx.save(store, "last", i);
    tx.save(store, `own ${i}`, (await tx.load(store, "shared")) ?? 0);
  };
  await Promise.all(Array.from({ length: 100 }, async (_, i) => transact(instance, async (tx) => note(tx, i))));
  const ops = line.sent.flatMap(({ group }) => group.ops.map(({ op }) => op));
  assert.deepEqual(new Set(ops), new Set(["get", "check", "set"]));
  assert.equal(ops.filter((op) => op === "set").length, 200);
});

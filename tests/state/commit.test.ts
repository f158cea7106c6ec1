import assert from "node:assert/strict";
import { test } from "node:test";
import { isHoldfastError } from "../../src/base/errors.ts";
import { connect } from "../../src/entries/index.ts";
import { sendGroup } from "../../src/state/commit.ts";

async function bench() {
  const hf = await connect("memory:");
  const store = hf.state("records");
  const lease = await hf.lock("partitions").acquire("0");
  return { hf, store, lease };
}

void test("a group's versions are known at once, and the next group can build on them", async () => {
  const { hf, store, lease } = await bench();
  const first = sendGroup([{ store, key: "a", base: null, write: { value: 1, ttl: undefined } }], lease);
  const second = sendGroup([{ store, key: "a", base: first.versions[0], write: { value: 2, ttl: undefined } }], lease);
  await Promise.all([first.done, second.done]);
  assert.equal((await store.loadEntry("a"))?.version, second.versions[0]);
  await hf.close();
});

void test("what builds on a group that was refused is refused too, whether the store or the call refused it", async () => {
  const { hf, store, lease } = await bench();
  await store.save("a", 0);
  const conflicting = sendGroup([{ store, key: "a", base: null, write: { value: 1, ttl: undefined } }], lease);
  const twice = { store, key: "b", base: null, write: { value: 1, ttl: undefined } } as const;
  const invalid = sendGroup([twice, twice], lease);
  const after = [conflicting, invalid].map(({ versions }, i) =>
    sendGroup([{ store, key: i === 0 ? "a" : "b", base: versions[0], write: { value: 2, ttl: undefined } }], lease),
  );
  await assert.rejects(conflicting.done, (error) => isHoldfastError(error, "CONFLICT"));
  await assert.rejects(invalid.done, (error) => isHoldfastError(error, "INVALID_ARGUMENT"));
  for (const { done } of after) await assert.rejects(done, (error) => isHoldfastError(error, "CONFLICT"));
  assert.equal(await store.load("a"), 0);
  assert.equal(await store.load("b"), undefined);
  await hf.close();
});

void test("a group under a lost lease is fenced, and nothing of it is written", async () => {
  const { hf, store, lease } = await bench();
  await hf.lock("partitions").forceRelease("0", "test");
  const steps = ["a", "b"].map((key) => ({ store, key, base: null, write: { value: 1, ttl: undefined } }));
  await assert.rejects(sendGroup(steps, lease).done, (error) => isHoldfastError(error, "FENCED"));
  assert.equal((await store.loadMany(["a", "b"])).size, 0);
  await hf.close();
});

void test("a group of no entries, or of stores of two instances, is refused and writes nothing", async () => {
  const { hf, store, lease } = await bench();
  const other = await connect("memory:");
  const write = { value: 1, ttl: undefined };
  const mixed = [store, other.state("records")].map((of, i) => ({ store: of, key: `${i}`, base: null, write }));
  for (const steps of [[], mixed])
    await assert.rejects(sendGroup(steps, lease).done, (error) => isHoldfastError(error, "INVALID_ARGUMENT"));
  assert.equal((await store.loadMany(["0", "1"])).size, 0);
  await other.close();
  await hf.close();
});

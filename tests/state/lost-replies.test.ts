import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isHoldfastError } from "../../src/base/errors.ts";
import type { Instance } from "../../src/client/index.ts";
import { transact, type StateStore } from "../../src/state/index.ts";
import { leaseOf } from "../../src/testing/state/client.ts";
import { FaultyLine, settled } from "./support.ts";

interface Stand {
  readonly line: FaultyLine;
  readonly store: StateStore<number>;
  readonly near: StateStore<number>;
}

/** A store behind a line, which holds 1 under `k`. */
async function stand(): Promise<Stand & { readonly version: string }> {
  const line = new FaultyLine();
  const [store, near] = [line.store<number>(), line.near<number>()];
  const version = await store.save("k", 1);
  return { line, store, near, version };
}

/** A store behind a line, which holds 1 under `a` and `b`; the third request, which is the first write, has that fate. */
async function standOfTwo(first: "lost" | "dropped"): Promise<Stand & { readonly instance: Instance }> {
  const line = new FaultyLine();
  const instance = line.instance();
  const [store, near] = [line.store<number>({}, instance), line.near<number>()];
  await near.saveMany([
    ["a", 1],
    ["b", 1],
  ]);
  line.next("ok", "ok", first);
  return { line, instance, store, near };
}

const fates = (line: FaultyLine): readonly string[] =>
  line.sent.map(({ group, fate }) => `${group.ops[0]?.op} ${fate}`);
const indeterminate = { code: "INDETERMINATE" };

void describe("a write whose reply was lost", () => {
  void it("that is on a version is sent once more: applied before or applied now is success", async () => {
    for (const first of ["lost", "dropped"] as const) {
      const { line, store, near, version } = await stand();
      line.next(first);
      const next = await store.save("k", 2, { if: { version } });
      assert.deepEqual(fates(line), [`set ${first}`, "set ok"]);
      const entry = await near.loadEntry("k");
      assert.deepEqual([entry?.value, entry?.version], [2, next]);
    }
  });

  void it("that is on a version and was overtaken is indeterminate", async () => {
    for (const first of ["lost", "dropped"] as const) {
      const { line, store, near, version } = await stand();
      line.next(first, "hangs");
      const saving = store.save("k", 2, { if: { version } });
      const refused = assert.rejects(saving, indeterminate);
      await settled();
      await near.save("k", 3);
      line.release();
      await refused;
      assert.deepEqual([fates(line), await near.load("k")], [[`set ${first}`, "set hangs"], 3]);
    }
  });

  void it("that has no condition, or creates, is not sent again: a read that finds its own id is success", async () => {
    for (const options of [{}, { if: { absent: true } }] as const) {
      const { line, store, near } = await stand();
      await near.delete("k");
      line.next("lost");
      const version = await store.save("k", 2, options);
      assert.deepEqual(fates(line), ["set lost", "get ok"]);
      assert.equal((await near.loadEntry("k"))?.version, version);
      line.next("dropped");
      await assert.rejects(store.save("l", 2, options), indeterminate);
      assert.deepEqual([fates(line), await near.load("l")], [["set dropped", "get ok"], undefined]);
      line.next("lost", "hangs");
      const overtaken = assert.rejects(store.save("m", 2, options), indeterminate);
      await settled();
      await near.save("m", 3);
      line.release();
      await overtaken;
    }
  });

  void it("is indeterminate if the question what became of it is lost too", async () => {
    const { line, store, version } = await stand();
    line.next("lost", "dropped");
    await assert.rejects(store.save("k", 2, { if: { version } }), indeterminate);
    line.next("lost", "refused");
    await assert.rejects(store.save("l", 2), indeterminate);
  });

  void it("of a delete is indeterminate, unless it had a version and applies now", async () => {
    const { line, store, near, version } = await stand();
    line.next("lost");
    await assert.rejects(store.delete("k"), indeterminate);
    assert.deepEqual([fates(line), await near.load("k")], [["delete lost"], undefined]);
    const again = await near.save("k", 1);
    line.next("dropped");
    assert.equal(await store.delete("k", { if: { version: again } }), true);
    assert.notEqual(again, version);
  });

  void it("of a touch is indeterminate, and it is not sent again: a late copy could end what was to stay", async () => {
    for (const first of ["lost", "dropped"] as const) {
      for (const conditional of [false, true]) {
        const { line, store, version } = await stand();
        line.next(first);
        await assert.rejects(store.touch("k", "1h", conditional ? { if: { version } } : {}), indeterminate);
        assert.deepEqual(fates(line), [`touch ${first}`]);
      }
    }
  });

  void it("of a touch beside a write of a transaction counts once", async () => {
    for (const first of ["lost", "dropped"] as const) {
      const { line, instance, store, near } = await standOfTwo(first);
      await transact(instance, async (tx) => {
        await tx.touch(store, "a", "1h");
        await tx.update(store, "b", (n) => n + 1);
      });
      assert.deepEqual(fates(line), ["get ok", "get ok", `touch ${first}`, "touch ok"]);
      assert.ok((await near.loadEntry("a"))?.expiresAt);
      assert.equal(await near.load("b"), 2);
    }
  });

  void it("of a take is indeterminate where it took effect, and sent once more where it did not", async () => {
    const { line, store, near } = await stand();
    line.next("ok", "dropped");
    assert.equal((await store.take("k"))?.value, 1);
    assert.deepEqual([fates(line), await near.load("k")], [["get ok", "delete dropped", "delete ok"], undefined]);
    await near.save("k", 2);
    line.next("ok", "lost");
    await assert.rejects(store.take("k"), indeterminate);
    assert.deepEqual([fates(line), await near.load("k")], [["get ok", "delete lost", "delete ok"], undefined]);
  });

  void it("of an update counts once", async () => {
    for (const first of ["lost", "dropped"] as const) {
      const { line, store, near } = await stand();
      line.next("ok", first);
      let runs = 0;
      const entry = await store.update("k", (n) => (runs++, n + 1));
      assert.deepEqual(fates(line), ["get ok", `set ${first}`, "set ok"]);
      assert.deepEqual([entry?.value, runs, await near.loadEntry("k")], [2, 1, entry]);
    }
  });

  void it("of a transaction counts once", async () => {
    for (const first of ["lost", "dropped"] as const) {
      const { line, instance, store, near } = await standOfTwo(first);
      await transact(instance, async (tx) => {
        const values = await tx.loadMany(store, ["a", "b"]);
        for (const [key, value] of values) tx.save(store, key, value + 1);
      });
      assert.deepEqual(fates(line), ["get ok", "get ok", `set ${first}`, "set ok"]);
      assert.deepEqual(
        [...(await near.loadMany(["a", "b"]))],
        [
          ["a", 2],
          ["b", 2],
        ],
      );
    }
  });

  void it("of some of a batch is told entry by entry", async () => {
    const { line, store, near } = await stand();
    line.next("ok", "dropped", "refused");
    const error: unknown = await store
      .saveMany([
        ["a", 1],
        ["b", 1],
        ["c", 1],
      ])
      .catch((reason: unknown) => reason);
    assert.ok(isHoldfastError(error, "BATCH"));
    const { outcomes } = error as unknown as { outcomes: readonly { ok: boolean; error?: { code: string } }[] };
    assert.deepEqual(
      outcomes.map(({ ok, error: of }) => (ok ? "ok" : of?.code)),
      ["ok", "INDETERMINATE", "UNAVAILABLE"],
    );
    assert.deepEqual([...(await near.loadMany(["a", "b", "c"])).keys()], ["a"]);
  });

  void it("keeps its lease from being handed on in this process", async () => {
    const line = new FaultyLine();
    const instance = line.instance();
    const store = line.store<number>({ service: "conformance" }, instance);
    const lease = await leaseOf(instance, ["lock"]);
    await store.save("k", 1, { lease });
    line.next("dropped");
    await assert.rejects(store.save("k", 2, { lease }), indeterminate);
    assert.deepEqual(lease.ended, [false, true]);
  });
});

void describe("a call that ends early", () => {
  void it("before it was sent: the reason, and nothing happened", async () => {
    const { line, store, near } = await stand();
    line.next("hangs");
    const abort = new AbortController();
    const reason = new Error("enough");
    const first = store.save("k", 2);
    await settled();
    // Behind the first on its key, so it is not sent yet.
    const second = store.save("k", 3, { signal: abort.signal });
    await settled();
    abort.abort(reason);
    await assert.rejects(second, reason);
    line.release();
    await first;
    await settled();
    assert.deepEqual([fates(line), await near.load("k")], [["set hangs"], 2]);
  });

  void it("by its timeout before it was sent: UnavailableError, and nothing happened", async () => {
    const { line, store, near } = await stand();
    line.next("hangs");
    const first = store.save("k", 2, { timeout: "1h" });
    await settled();
    const second = assert.rejects(store.save("k", 3, { timeout: "2s" }), { code: "UNAVAILABLE" });
    await line.time.advance("3s");
    await second;
    line.release();
    await first;
    assert.equal(await near.load("k"), 2);
  });

  void it("after it was sent: a write is indeterminate with the reason as cause, a read rejects with it", async () => {
    const { line, store, near } = await stand();
    const reason = new Error("enough");
    for (const [start, expected] of [
      [(signal: AbortSignal) => store.save("k", 2, { signal }), { code: "INDETERMINATE", cause: reason }],
      [(signal: AbortSignal) => store.delete("j", { signal }), { code: "INDETERMINATE", cause: reason }],
      [(signal: AbortSignal) => store.load("k", { signal }), reason],
      [(signal: AbortSignal) => store.update("k", (n) => n, { signal }), reason],
    ] as const) {
      const abort = new AbortController();
      line.next("hangs");
      const refused = assert.rejects(start(abort.signal), expected);
      await settled();
      abort.abort(reason);
      await refused;
      line.release();
      await settled();
    }
    assert.equal(await near.load("k"), 2, "what was sent is not cancelled");
  });

  void it("by its timeout after it was sent: a write is indeterminate, a read is not", async () => {
    const { line, store } = await stand();
    line.next("hangs", "hangs");
    const calls = [
      assert.rejects(store.save("k", 2), indeterminate),
      assert.rejects(store.load("l"), { code: "UNAVAILABLE" }),
    ];
    await line.time.advance("6s");
    await Promise.all(calls);
    line.release();
  });

  void it("the time that a function takes does not count against the requests, and starts no new try", async () => {
    const { line, store, near } = await stand();
    const slow = store.update("k", async (n) => {
      await line.time.advance("20s");
      return n + 1;
    });
    assert.equal((await slow)?.value, 2);
    let runs = 0;
    const overtaken = store.update("k", async (n) => {
      runs++;
      await line.time.advance("20s");
      await near.save("k", 9);
      return n + 1;
    });
    await assert.rejects(overtaken, { code: "CONFLICT", key: "k" });
    assert.equal(runs, 1);
  });

  void it("waiting behind others of its process: by its timeout or its signal", async () => {
    const { line, store } = await stand();
    const abort = new AbortController();
    const reason = new Error("enough");
    line.next("ok", "hangs");
    const head = store.update("k", (n) => n + 1, { timeout: "1h" });
    await settled();
    const late = assert.rejects(
      store.update("k", (n) => n + 1, { timeout: "500ms" }),
      { code: "UNAVAILABLE", key: "k" },
    );
    const aborted = assert.rejects(
      store.update("k", (n) => n + 1, { signal: abort.signal }),
      reason,
    );
    const patient = store.update("k", (n) => n + 1, { timeout: "1h" });
    abort.abort(reason);
    await aborted;
    await line.time.advance("600ms");
    await late;
    line.release();
    assert.deepEqual([(await head)?.value, (await patient)?.value], [2, 3]);
  });
});

void it("a read behind a broken line is unavailable, and the store works again", async () => {
  const { line, store } = await stand();
  line.next("dropped");
  await assert.rejects(store.load("k"), { code: "UNAVAILABLE" });
  line.next("ok", "refused");
  await assert.rejects(
    store.update("k", (n) => n + 1),
    { code: "UNAVAILABLE" },
  );
  assert.equal(await store.load("k"), 1);
});

void it("a transaction whose reply was lost finds its own write, whatever it meets first when it is sent again", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const [store, near] = [line.store<number>({}, instance), line.near<number>()];
  await store.saveMany([
    ["from", 1],
    ["to", 1],
  ]);
  line.next("ok", "ok", "lost");
  await transact(instance, async (tx) => {
    const [from, to] = [await tx.load(store, "from"), await tx.load(store, "to")];
    tx.delete(store, "from");
    tx.save(store, "to", (from ?? 0) + (to ?? 0));
  });
  assert.deepEqual([await near.load("from"), await near.load("to")], [undefined, 2]);
  assert.deepEqual(fates(line), ["get ok", "get ok", "delete lost", "delete ok", "get ok"]);
});

void it("conflicts carry the record, so a retry needs no read", async () => {
  const { line, store, near } = await stand();
  line.next();
  let runs = 0;
  await store.update("k", async (n) => {
    if (runs++ < 2) await near.save("k", n + 10);
    return n + 1;
  });
  await settled();
  // After the second conflict it takes its turn, and passes it on in the request that writes.
  const sent = ["get ok", "set ok", "set ok", "acquire ok", "release ok", "set ok"];
  assert.deepEqual([fates(line), await near.load("k")], [sent, 22]);
});

void it("calls of many keys are one batch", async () => {
  const line = new FaultyLine();
  const instance = line.instance();
  const store = line.store<number>({}, instance);
  let batches = 0;
  const execute = instance.session.execute.bind(instance.session);
  instance.session.execute = async (groups, call) => {
    batches++;
    return execute(groups, call);
  };
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
  await store.saveMany(keys.map((key, i) => [key, i]));
  assert.equal((await store.loadMany(keys)).size, 200);
  await transact(instance, async (tx) => {
    const found = await tx.loadMany(store, keys);
    for (const [key, value] of found) tx.save(store, key, value + 1);
  });
  assert.equal(batches, 4, "save, load, the transaction's reads, its commit");
});

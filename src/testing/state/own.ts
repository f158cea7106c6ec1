import assert from "node:assert/strict";
import { Lock } from "../../lock/index.ts";
import { KEEP, REMOVE } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { all, instanceOf, keeps, rejects, storeOn, throws, times } from "./client.ts";
import { begin, stand, takesPart, transaction } from "./own-stand.ts";

export const ownCases: readonly Case[] = [
  {
    title: "a backend without own transactions refuses them before anything is sent",
    proves: "own transactions: declared",
    when: (capabilities) => keeps(capabilities) && !takesPart(capabilities),
    async run(context) {
      const instance = instanceOf(context);
      let asked = 0;
      const connection = { query: () => asked++ };
      throws(() => storeOn(instance).within(connection), "UNSUPPORTED");
      const lease = await new Lock(instance, "own").acquire("k");
      await rejects(lease.checkWithin(connection), "UNSUPPORTED");
      await lease.release();
      assert.equal(asked, 0);
    },
  },
  {
    title: "entries and rows of the application commit together",
    proves: "own transactions: together",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const { application, store, other } = at;
      await store.save("gone", 1);
      await store.save("kept", 1);
      await transaction(at, async ({ entries, insert }) => {
        await insert("row");
        await entries.save("k", 2);
        assert.equal(await entries.delete("gone"), true);
        assert.equal((await entries.update("kept", (n) => n + 1))?.value, 2);
        assert.equal(await other.load("k"), undefined, "not committed");
        assert.equal(await other.load("gone"), 1, "not committed");
        assert.deepEqual(await application.rows(), []);
      });
      assert.deepEqual(await application.rows(), ["row"]);
      assert.deepEqual(Object.fromEntries(await other.loadMany(["k", "gone", "kept"])), { k: 2, kept: 2 });
    },
  },
  {
    title: "a rollback, of all or to a savepoint, takes entries and rows back",
    proves: "own transactions: together",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      await at.store.save("kept", 1);
      await transaction(at, async ({ entries, insert, run }) => {
        await insert("first");
        await entries.save("first", 1);
        await run("SAVEPOINT a");
        await insert("second");
        await entries.save("second", 1);
        await entries.delete("kept");
        await run("ROLLBACK TO SAVEPOINT a");
        assert.equal(await entries.has("second"), false);
        assert.equal(await entries.load("kept"), 1);
      });
      const own = await begin(at);
      await own.insert("third");
      await own.entries.save("third", 1);
      await own.entries.upsert("kept", () => 7);
      await own.run("ROLLBACK");
      await own.close();
      assert.deepEqual(await at.application.rows(), ["first"]);
      assert.deepEqual(Object.fromEntries(await at.other.loadMany(["first", "second", "third", "kept"])), {
        first: 1,
        kept: 1,
      });
      assert.deepEqual((await all(at.other.keys())).toSorted(), ["first", "kept"], "nothing was left behind");
    },
  },
  {
    title: "a connection that dies before the commit leaves nothing",
    proves: "own transactions: together",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const own = await begin(at);
      await own.insert("row");
      await own.entries.save("k", 1);
      await own.cut();
      await rejects(own.entries.save("l", 1), "UNAVAILABLE");
      await own.close();
      await at.store.save("k", 2, { if: { absent: true } });
      assert.deepEqual(await at.application.rows(), []);
    },
  },
  {
    title: "a transaction sees its own writes, and their versions are those that are stored",
    proves: "own transactions: as the store",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const version = await transaction(at, async ({ entries }) => {
        const first = await entries.save("k", 1, { ttl: "1h" });
        assert.deepEqual(await entries.load("k"), 1);
        const loaded = await entries.loadEntry("k");
        assert.equal(loaded?.version, first);
        assert.ok((loaded?.expiresAt ?? 0) > 0);
        const second = await entries.save("k", 2, { if: loaded });
        assert.equal(await entries.touch("k", "never", { if: { version: second } }), true);
        assert.equal((await entries.loadEntry("k"))?.expiresAt, undefined);
        assert.equal(await entries.touch("none", "1h"), false);
        assert.equal(await entries.delete("none"), false);
        await entries.save("taken", 3);
        assert.equal((await entries.take("taken"))?.value, 3);
        assert.equal(await entries.take("taken"), undefined);
        assert.equal(await entries.has("taken"), false);
        return second;
      });
      assert.equal((await at.other.loadEntry("k"))?.version, version);
      await at.other.save("k", 3, { if: { version } });
    },
  },
  {
    title: "update and upsert change, keep, remove and create entries",
    proves: "own transactions: as the store",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      await at.store.save("k", 1, { ttl: "1h" });
      await transaction(at, async ({ entries }) => {
        const { expiresAt } = (await entries.loadEntry("k")) ?? {};
        assert.equal((await entries.update("k", async (n) => n + 1))?.value, 2);
        assert.equal((await entries.loadEntry("k"))?.expiresAt, expiresAt, "what remains is kept");
        assert.equal((await entries.update("k", () => KEEP))?.value, 2);
        assert.equal(await entries.update("none", () => 1), undefined);
        assert.equal(await entries.upsert("none", () => KEEP), undefined);
        assert.equal((await entries.upsert("new", (n) => (n ?? 0) + 5))?.value, 5);
        assert.equal(await entries.update("k", () => REMOVE), undefined);
        await rejects(
          entries.update("new", () => undefined as never),
          "INVALID_ARGUMENT",
        );
        await assert.rejects(
          entries.upsert("thrown", () => {
            throw new Error("mine");
          }),
          { message: "mine" },
        );
      });
      assert.deepEqual((await all(at.other.keys())).toSorted(), ["new"]);
    },
  },
  {
    title: "twenty own transactions at once change one entry exactly",
    proves: "own transactions: no lost update",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      await at.store.save("k", 0);
      await times(20, async (i) =>
        transaction(at, async ({ entries, insert }) => {
          await entries.update("k", (n) => n + 1, { timeout: "50s" });
          await insert(`row${i}`);
        }),
      );
      assert.equal(await at.other.load("k"), 20);
      assert.equal((await at.application.rows()).length, 20);
    },
  },
  {
    title: "own transactions and calls of the store at once lose no change of one entry, also the first",
    proves: "own transactions: no lost update",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const plus = (n: number | undefined): number => (n ?? 0) + 1;
      await Promise.all([
        times(10, async () => transaction(at, async ({ entries }) => entries.upsert("k", plus, { timeout: "30s" }))),
        times(10, async () => at.store.upsert("k", plus, { timeout: "30s" })),
        times(10, async () => at.other.upsert("k", plus, { timeout: "30s" })),
      ]);
      assert.equal(await at.other.load("k"), 30);
    },
  },
  {
    title: "calls at once on one connection run one after another",
    proves: "own transactions: no lost update",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      await transaction(at, async ({ entries, own }) => {
        const again = at.store.within(own);
        await Promise.all([
          ...Array.from({ length: 5 }, async () => entries.upsert("k", (n) => (n ?? 0) + 1)),
          ...Array.from({ length: 5 }, async () => again.upsert("k", (n) => (n ?? 0) + 1)),
        ]);
      });
      assert.equal(await at.other.load("k"), 10);
    },
  },
  {
    title: "values and keys of every kind come back as they were saved",
    proves: "own transactions: as the store",
    when: takesPart,
    async run(context) {
      const at = await stand(context);
      const odd: readonly unknown[] = [
        "é\u0000\u2028'\"\\ \ud83d\ude00",
        { $date: "x", nested: [new Date(1), 1n, undefined, -0, Number.NaN, new Uint8Array([0, 255])] },
        "x".repeat(100_000),
        null,
        false,
      ];
      const keys = ["k'\"\\\u0000?$1:a", "K", "k", "é ", "😀"];
      const store = storeOn<unknown>(at.instance, "odd");
      const other = storeOn<unknown>(instanceOf(context), "odd");
      const own = await begin(at);
      const entries = store.within(own.own);
      for (const [i, key] of keys.entries()) await entries.save(key, odd[i], { if: { absent: true } });
      for (const [i, key] of keys.entries()) assert.deepEqual(await entries.load(key), odd[i], `${i}`);
      await own.run("COMMIT");
      await own.close();
      for (const [i, key] of keys.entries()) assert.deepEqual(await other.load(key), odd[i], `${i}`);
    },
  },
];

import assert from "node:assert/strict";
import type { Case } from "../suite.ts";
import { all, instanceOf, keeps, lists, storeOf, storeOn, transacts } from "./client.ts";
import { transact } from "../../state/index.ts";

export const expiryCases: readonly Case[] = [
  {
    title: "an expired entry is absent at once, for every call",
    proves: "state 5: ttl",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      const version = await a.save("k", 1, { ttl: 8 * unit });
      await a.save("stays", 1);
      assert.equal(await b.load("k"), 1);
      await place.elapse(8 * unit + unit / 2);
      assert.equal(await b.load("k"), undefined);
      assert.equal(await a.loadEntry("k"), undefined);
      assert.deepEqual([...(await a.loadMany(["k", "stays"])).keys()], ["stays"]);
      await assert.rejects(b.save("k", 2, { if: { version } }), { code: "CONFLICT" });
      assert.equal(await b.update("k", () => assert.fail("called for an expired entry")), undefined);
      assert.equal(await b.delete("k"), false);
      await b.save("k", 3, { if: { absent: true } });
      assert.equal(await a.load("k"), 3);
    },
  },
  {
    title: "an expired entry is not listed",
    proves: "state 5: absent at once",
    when: lists,
    async run(context) {
      const { place, unit } = context;
      const store = storeOf<number>(context);
      await store.saveMany([
        { key: "short", value: 1, ttl: 8 * unit },
        { key: "long", value: 2 },
      ]);
      assert.equal((await all(store.list())).length, 2);
      await place.elapse(8 * unit + unit / 2);
      assert.deepEqual(
        (await all(store.list())).map(({ key }) => key),
        ["long"],
      );
    },
  },
  {
    title: "save takes the given ttl, or the store's, or none, and says when the entry expires",
    proves: "state 5: save",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const instance = instanceOf(context);
      const wall = (): number => instance.time.wall();
      const store = storeOf<number>(context, { ttl: 8 * unit });
      const started = wall();
      await store.saveMany([["own", 1], { key: "given", value: 1, ttl: 60 * unit }]);
      await store.save("never", 1, { ttl: "never" });
      await store.save("unset", 1, { ttl: undefined });
      const [own, given, never] = await Promise.all(["own", "given", "never"].map((key) => store.loadEntry(key)));
      assert.ok(own?.expiresAt !== undefined && given?.expiresAt !== undefined);
      assert.ok(own.expiresAt >= started + 8 * unit - 1_000 && own.expiresAt <= wall() + 9 * unit + 1_000);
      assert.ok(given.expiresAt - own.expiresAt > 40 * unit);
      assert.ok(never && !("expiresAt" in never));
      await place.elapse(8 * unit + unit / 2);
      const left = await store.loadMany(["own", "unset", "given", "never"]);
      assert.deepEqual([...left.keys()], ["given", "never"]);
      await store.save("given", 2, { ttl: "never" });
      assert.equal(
        (await store.loadEntry("given"))?.expiresAt,
        undefined,
        "a save without an end lifts the one before",
      );
    },
  },
  {
    title: "update and upsert keep what remains of the ttl unless told",
    proves: "state 5: update, upsert",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const instance = instanceOf(context);
      const store = storeOf<number>(context, { ttl: 8 * unit });
      const keys = ["kept", "upserted", "longer", "never"];
      for (;;) {
        await store.saveMany(keys.map((key) => ({ key, value: 1 })));
        const before = (await store.loadEntry("kept"))?.expiresAt;
        await place.elapse(4 * unit);
        const entry = await store.update("kept", (n) => n + 1);
        const after = (await store.loadEntry("kept"))?.expiresAt;
        await store.upsert("upserted", (n) => (n ?? 0) + 1);
        await store.update("longer", (n) => n + 1, { ttl: 90 * unit });
        await store.update("never", (n) => n + 1, { ttl: "never" });
        // Where the process stood still, they may have ended before they were updated.
        if (before !== undefined && instance.time.wall() >= before) continue;
        assert.deepEqual([entry?.expiresAt, after], [before, before]);
        break;
      }
      assert.ok((await store.upsert("created", () => 1))?.expiresAt, "what upsert creates has the store's ttl");
      await place.elapse(4 * unit + unit / 2);
      const left = await store.loadMany(keys);
      assert.deepEqual([...left.keys()], ["longer", "never"]);
      assert.equal((await store.loadEntry("never"))?.expiresAt, undefined);
    },
  },
  {
    title: "a transaction keeps what remains of the ttl in updates and sets it in saves",
    proves: "state 5: update, upsert",
    when: transacts,
    async run(context) {
      const { place, unit } = context;
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      for (const key of ["{t}kept", "{t}saved", "{t}renewed"]) await store.save(key, 1, { ttl: 8 * unit });
      await place.elapse(4 * unit);
      await transact(instance, async (tx) => {
        await tx.update(store, "{t}kept", (n) => n + 1);
        tx.save(store, "{t}saved", 2);
        await tx.update(store, "{t}renewed", (n) => n + 1, { ttl: 90 * unit });
        await tx.upsert(store, "{t}created", () => 1, { ttl: 2 * unit });
      });
      await place.elapse(4 * unit + unit / 2);
      const left = await store.loadMany(["{t}kept", "{t}saved", "{t}renewed", "{t}created"]);
      assert.deepEqual(
        [...left],
        [
          ["{t}saved", 2],
          ["{t}renewed", 2],
        ],
      );
    },
  },
];

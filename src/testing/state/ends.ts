import assert from "node:assert/strict";
import { transact } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { books, guards, instanceOf, keeps, leaseOf, rejects, storeOf, storeOn, times, transacts } from "./client.ts";

/** Other ends of entries: by touch, at a moment, and for new ones only. */
export const endCases: readonly Case[] = [
  {
    title: "touch gives an entry another end, and leaves its value and its version",
    proves: "state 5: touch",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const [store, other] = [storeOf<object>(context), storeOf<object>(context)];
      const names = ["longer", "shorter", "never", "as it was"];
      const versions = await store.saveMany(names.map((key) => ({ key, value: { key }, ttl: 8 * unit })));
      assert.deepEqual(
        await Promise.all([
          other.touch("longer", 90 * unit),
          other.touch("shorter", 2 * unit),
          other.touch("never", "never"),
          other.touch("none", "never"),
        ]),
        [true, true, true, false],
      );
      const never = await store.loadEntry("never");
      assert.deepEqual([never?.value, never?.version, never?.expiresAt], [{ key: "never" }, versions[2], undefined]);
      const [longer, before] = [await store.loadEntry("longer"), await store.loadEntry("as it was")];
      assert.ok((longer?.expiresAt ?? 0) > (before?.expiresAt ?? Infinity) + 40 * unit);
      await place.elapse(2 * unit + unit / 2);
      assert.deepEqual([...(await other.loadMany(names)).keys()], ["longer", "never", "as it was"]);
      assert.equal(await store.touch("shorter", "never"), false);
      await place.elapse(6 * unit);
      assert.deepEqual([...(await other.loadMany(names)).keys()], ["longer", "never"]);
      await other.save("longer", {}, { if: { version: versions[0] as string } });
    },
  },
  {
    title: "touch minds its condition, and refuses what is no ttl",
    proves: "state 5: touch",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context, { ttl: "1h" });
      const version = await store.save("k", 1);
      assert.equal(await store.touch("k", "never", { if: { version } }), true);
      const entry = await store.loadEntry("k");
      assert.equal(await store.touch("k", "2h", { if: entry as { version: string } }), true);
      await store.save("k", 2, { ttl: "never" });
      await rejects(store.touch("k", "1m", { if: { version } }), "CONFLICT");
      await rejects(store.touch("none", "1m", { if: { version } }), "CONFLICT");
      for (const ttl of [0, -1, Infinity, "soon", undefined]) {
        await rejects(store.touch("k", ttl as never), "INVALID_ARGUMENT", String(ttl));
      }
      await rejects(store.touch("", "1m"), "INVALID_ARGUMENT");
      await rejects(store.touch("k", "1m", { if: { absent: true } as never }), "INVALID_ARGUMENT");
      await rejects(store.touch("k", "1m", { lease: undefined } as object), "INVALID_ARGUMENT");
      assert.equal((await store.loadEntry("k"))?.expiresAt, undefined);
    },
  },
  {
    title: "touch under a lease is a guarded write",
    proves: "locks 3: a guarded write",
    when: guards,
    async run(context) {
      const instance = instanceOf(context);
      const store = storeOn<number>(instance);
      await store.save("k", 1);
      const lease = await leaseOf(instance, ["k"]);
      assert.equal(await store.touch("k", "1h", { lease }), true);
      assert.ok((await store.loadEntry("k"))?.expiresAt);
      await lease.lose();
      await rejects(store.touch("k", "never", { lease }), "FENCED");
      assert.ok((await store.loadEntry("k"))?.expiresAt);
    },
  },
  {
    title: "touches and updates of one entry at the same time lose nothing",
    proves: "state 3: no lost update",
    when: keeps,
    async run(context) {
      const stores = [storeOf<number>(context), storeOf<number>(context)];
      await stores[0]?.save("k", 0);
      await Promise.all(
        stores.flatMap((store) => [
          times(10, async () => store.update("k", (n) => n + 1)),
          times(10, async () => assert.equal(await store.touch("k", "1h"), true)),
        ]),
      );
      const entry = await stores[0]?.loadEntry("k");
      assert.equal(entry?.value, 20);
      assert.ok(entry.expiresAt);
    },
  },
  {
    title: "expiresAt is the moment itself, and one that is past has come",
    proves: "state 5: expiresAt",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const instance = instanceOf(context);
      const store = storeOf<number>(context, { ttl: "1h" });
      const at = instance.time.wall() + 86_400_000;
      await store.save("number", 1, { expiresAt: at });
      await store.save("date", 1, { expiresAt: new Date(at) });
      await store.saveMany(
        [["of all", 1], { key: "own", value: 1, ttl: "never" }, { key: "other", value: 1, expiresAt: at + 1 }],
        { expiresAt: at },
      );
      const update = await store.upsert("number", (n) => (n ?? 0) + 1);
      await store.upsert("created", () => 1, { expiresAt: at });
      const found = await store.loadEntries(["number", "date", "of all", "own", "other", "created"]);
      assert.deepEqual(
        Array.from(found.values(), ({ expiresAt }) => expiresAt),
        [at, at, at, undefined, at + 1, at],
      );
      assert.equal(update?.expiresAt, at);
      const near = await store.upsert("near", () => 1, { ttl: 8 * unit });
      const end = (await store.loadEntry("near"))?.expiresAt;
      assert.ok(near && end);
      await store.save("near", 2, { expiresAt: end });
      assert.equal(await store.has("near"), true);
      await place.elapse(8 * unit + unit / 2);
      assert.equal(await store.has("near"), false);
      await store.save("past", 1);
      await store.save("past", 2, { expiresAt: 1 });
      assert.deepEqual([await store.load("past"), await store.has("past")], [undefined, false]);
      await store.save("past", 3, { if: { absent: true } });
      for (const expiresAt of [0, -1, NaN, Infinity, "tomorrow", new Date(NaN)]) {
        await rejects(store.save("k", 1, { expiresAt: expiresAt as number }), "INVALID_ARGUMENT", String(expiresAt));
      }
      await rejects(store.save("k", 1, { expiresAt: at, ttl: "1m" }), "INVALID_ARGUMENT");
      await rejects(store.saveMany([{ key: "k", value: 1, expiresAt: at, ttl: 1 }]), "INVALID_ARGUMENT");
      assert.equal(await store.has("k"), false);
    },
  },
  {
    title: "with keepTtl a new entry has the given end, and one that is there keeps what remains",
    proves: "state 5: upsert",
    when: keeps,
    async run(context) {
      const store = storeOf<number>(context, { ttl: "1h" });
      const add = (n: number | undefined): number => (n ?? 0) + 1;
      const told = await store.upsert("k", add, { ttl: "2h", keepTtl: true });
      const created = await store.loadEntry("k");
      assert.ok(Math.abs((told?.expiresAt ?? 0) - (created?.expiresAt ?? 0)) < 60_000);
      const kept = await store.upsert("k", add, { ttl: "9h", keepTtl: true });
      assert.deepEqual([kept?.value, kept?.expiresAt], [2, created?.expiresAt]);
      assert.equal((await store.loadEntry("k"))?.expiresAt, created?.expiresAt);
      await store.save("never", 1, { ttl: "never" });
      assert.equal((await store.upsert("never", add, { ttl: "9h", keepTtl: true }))?.expiresAt, undefined);
      const anew = await store.upsert("k", add, { ttl: "9h", keepTtl: false });
      assert.ok((anew?.expiresAt ?? 0) > (created?.expiresAt ?? 0) + 3_600_000);
      const crowd = await times(10, async () => store.upsert("crowd", add, { ttl: "never", keepTtl: true }));
      assert.ok(crowd.every((entry) => entry?.expiresAt === undefined));
      assert.deepEqual([(await store.loadEntry("crowd"))?.value, await store.touch("crowd", "1h")], [10, true]);
      await rejects(store.upsert("k", add, { keepTtl: 1 as never }), "INVALID_ARGUMENT");
    },
  },
  {
    title: "a transaction gives entries other ends, also of values that it does not read",
    proves: "state 6: transact",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      const at = instance.time.wall() + 86_400_000;
      const old = storeOn<string>(instance, "shapes");
      const shapes = storeOf<string>(context, { version: 2, migrate: (value) => `${String(value)}!` }, "shapes");
      await old.save("{t}s", "old");
      await a.saveMany(["{t}1", "{t}2", "{t}3"].map((key) => [key, 1]));
      const version = (await a.loadEntry("{t}1"))?.version;
      await transact(instance, async (tx) => {
        assert.equal(await tx.touch(a, "{t}1", "1h"), true);
        assert.equal(await tx.touch(a, "{t}none", "1h"), false);
        assert.equal(await tx.touch(a, "{t}2", "1h"), true);
        await tx.update(a, "{t}2", (n) => n + 1);
        assert.equal(await tx.touch(shapes, "{t}s", "1h"), true);
        assert.equal(await tx.load(shapes, "{t}s"), "old!");
        tx.save(a, "{t}new", 1);
        assert.equal(await tx.touch(a, "{t}new", "never"), true);
        tx.delete(a, "{t}3");
        assert.equal(await tx.touch(a, "{t}3", "1h"), false);
        tx.save(a, "{t}at", 1, { expiresAt: at });
        await tx.upsert(a, "{t}at", () => 2, { ttl: "1m", keepTtl: true });
        await tx.upsert(a, "{t}made", () => 2, { expiresAt: at, keepTtl: true });
      });
      const touched = await a.loadEntry("{t}1");
      assert.deepEqual([touched?.value, touched?.version], [1, version]);
      const found = await a.loadEntries(["{t}1", "{t}2", "{t}new", "{t}at", "{t}made", "{t}3"]);
      assert.deepEqual(
        Array.from(found.values(), ({ key, value, expiresAt }) => [key, value, expiresAt === at ? "at" : !!expiresAt]),
        [
          ["{t}1", 1, true],
          ["{t}2", 2, true],
          ["{t}new", 1, false],
          ["{t}at", 2, "at"],
          ["{t}made", 2, "at"],
        ],
      );
      assert.deepEqual([await shapes.load("{t}s"), await old.load("{t}s")], ["old!", "old"]);
      assert.ok((await old.loadEntry("{t}s"))?.expiresAt);
      await rejects(
        transact(instance, (tx) => tx.save(a, "{t}1", 1, { ttl: 1, expiresAt: at })),
        "INVALID_ARGUMENT",
      );
    },
  },
  {
    title: "a transaction that touches is undone by whoever changes the entry meanwhile",
    proves: "state 6: everything read is checked",
    when: transacts,
    async run(context) {
      const { instance, a } = books(context);
      await a.save("{t}k", 1);
      let tries = 0;
      await transact(instance, async (tx) => {
        await tx.touch(a, "{t}k", "1h");
        if (++tries === 1) await a.save("{t}k", 2, { ttl: "never" });
        tx.save(a, "{t}other", tries);
      });
      const entry = await a.loadEntry("{t}k");
      assert.deepEqual([tries, entry?.value, await a.load("{t}other")], [2, 2, 2]);
      assert.ok(entry?.expiresAt);
    },
  },
];

import assert from "node:assert/strict";
import type { Case } from "../suite.ts";
import { instanceOf, keeps, rejects, storeOf } from "./client.ts";
import { StateStore } from "../../state/index.ts";

/** Values that a careless store changes, loses or takes for absent. */
const values: readonly (readonly [string, unknown])[] = [
  ["zero", 0],
  ["minus zero", -0],
  ["false", false],
  ["null", null],
  ["the empty string", ""],
  ["an empty object", {}],
  ["an empty array", []],
  ["NaN", Number.NaN],
  ["infinity", -Infinity],
  ["2^53", 2 ** 53],
  ["a bigint", 2n ** 80n],
  ["a date", new Date(1_700_000_000_123)],
  [
    "a map",
    new Map<unknown, unknown>([
      ["a", new Set([1, undefined])],
      [{ k: 1 }, null],
    ]),
  ],
  ["bytes", new Uint8Array([0, 1, 254, 255])],
  ["nested undefined", { a: undefined, b: [undefined] }],
  ["a null character and quotes", 'a\u0000b"\\\n'],
  ["an astral character", "\u{1F512}\u{1D11E}"],
  ["keys in an order", { b: 1, a: 2, 10: 3, 9: 4 }],
  ["keys of prototypes", JSON.parse('{"__proto__":{"x":1},"constructor":2}')],
  ["what looks like an encoding", { "@hf:date": "2026-01-01", "@hf:": 1 }],
  ["a long text", "ab\u00e9".repeat(20_000)],
];

export const valueCases: readonly Case[] = [
  {
    title: "what is saved is loaded, by every way and every instance, falsy values too",
    proves: "state 1: what you save is what you load",
    when: keeps,
    async run(context) {
      const [writer, reader] = [storeOf<unknown>(context), storeOf<unknown>(context)];
      for (const [what, value] of values) {
        await writer.save(what, value);
        assert.deepStrictEqual(await reader.load(what), value, `load: ${what}`);
        assert.deepStrictEqual((await reader.loadEntry(what))?.value, value, `loadEntry: ${what}`);
      }
      const many = await reader.loadMany(values.map(([what]) => what));
      for (const [what, value] of values) assert.deepStrictEqual(many.get(what), value, `loadMany: ${what}`);
      const updated = await reader.update("zero", (zero) => [zero]);
      assert.deepStrictEqual(updated?.value, [0], "update has the value, and fn is called for a falsy one");
    },
  },
  {
    title: "a value is taken when the call is made, and every load is a copy of its own",
    proves: "state 1: an independent copy",
    when: keeps,
    async run(context) {
      const store = storeOf<{ list: number[] }>(context);
      const value = { list: [1] };
      const saving = store.save("k", value);
      value.list.push(2);
      await saving;
      const entries = [{ key: "m", value }];
      const savingMany = store.saveMany(entries);
      value.list.push(3);
      await savingMany;
      assert.deepEqual(await store.load("k"), { list: [1] });
      assert.deepEqual(await store.load("m"), { list: [1, 2] });
      const loaded = await store.load("k");
      loaded?.list.push(9);
      assert.deepEqual(await store.load("k"), { list: [1] });
      const entry = await store.update("k", (current) => current);
      entry?.value.list.push(9);
      assert.deepEqual(await store.load("k"), { list: [1] });
    },
  },
  {
    title: "what would not come back as it was is refused, and names its path",
    proves: "state 1: UnsupportedValueError",
    async run(context) {
      const store = storeOf<unknown>(context);
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      class Money {
        readonly amount = 1;
      }
      const refused: readonly unknown[] = [
        undefined,
        () => 1,
        Symbol("s"),
        { a: { b: new Money() } },
        cycle,
        [() => 1],
      ];
      for (const value of refused) await rejects(store.save("k", value), "UNSUPPORTED_VALUE", typeof value);
      await rejects(
        store.upsert("k", () => () => 1),
        "UNSUPPORTED_VALUE",
      );
      await rejects(
        store.saveMany([
          ["j", 1],
          ["k", cycle],
        ]),
        "UNSUPPORTED_VALUE",
      );
      await assert.rejects(store.save("k", { a: { b: new Money() } }), { path: "$.a.b", key: "k" });
      assert.equal(await store.load("k"), undefined);
      assert.equal(await store.load("j"), undefined, "one bad entry refuses them all");
    },
  },
  {
    title: "every write has a version of its own, which is never used again",
    proves: "state 2: versions",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      const versions: unknown[] = [];
      versions.push(await a.save("k", 1));
      assert.equal((await b.loadEntry("k"))?.version, versions[0], "save gives the version that is stored");
      versions.push(await b.save("k", 1));
      await a.delete("k");
      versions.push(await a.save("k", 1, { if: { absent: true } }));
      versions.push((await b.update("k", (n) => n))?.version);
      versions.push((await a.upsert("k", (n) => n ?? 0))?.version);
      versions.push(
        ...(await a.saveMany([
          ["k", 1],
          ["l", 1],
        ])),
      );
      assert.equal(new Set(versions).size, versions.length);
      assert.ok(versions.every((version) => typeof version === "string" && version !== ""));
    },
  },
  {
    title: "a version from before a delete does not fit what was created after it",
    proves: "state 2: not by delete and create",
    when: keeps,
    async run(context) {
      const [a, b] = [storeOf<number>(context), storeOf<number>(context)];
      const old = await a.save("k", 1);
      await b.delete("k");
      await b.save("k", 1);
      await rejects(a.save("k", 2, { if: { version: old } }), "CONFLICT");
      await rejects(a.delete("k", { if: { version: old } }), "CONFLICT");
      assert.equal(await a.load("k"), 1);
    },
  },
  {
    title: "keys of any characters are different keys",
    proves: "every call 4: every other key works",
    when: keeps,
    async run(context) {
      const store = storeOf<string>(context);
      const keys = [
        "a",
        "A",
        "a ",
        " a",
        "\u00e4",
        "a\u0308",
        "a:b",
        "a/b",
        "*",
        "%",
        "_",
        "{t}",
        "}{",
        "}",
        "\u0000",
        "\n",
      ];
      keys.push("__proto__", "\u{1F512}", "k".repeat(1_024), `${"k".repeat(1_023)}l`, "\u00e9".repeat(512));
      await store.saveMany(keys.map((key) => [key, `of ${key}`]));
      for (const key of keys) assert.equal(await store.load(key), `of ${key}`, JSON.stringify(key));
      assert.equal((await store.loadMany(keys)).size, keys.length);
      assert.equal(await store.delete("a"), true);
      assert.equal(await store.load("A"), "of A");
    },
  },
  {
    title: "service, name and key are a tuple",
    proves: "every call 4: physical keys",
    when: keeps,
    async run(context) {
      const instance = instanceOf(context);
      const parts = [
        ["", "a", "b:c"],
        ["", "a:b", "c"],
        ["a", "b", "c"],
        ["a:b", "c", "c"],
        ["a", "b:c", "c"],
        ["", "a", "b"],
        ["1", "a", "b"],
      ] as const;
      const store = (service: string, name: string): StateStore<string> => new StateStore(instance, name, { service });
      for (const [service, name, key] of parts) await store(service, name).save(key, `${service}|${name}|${key}`);
      for (const [service, name, key] of parts) {
        assert.equal(await store(service, name).load(key), `${service}|${name}|${key}`);
      }
    },
  },
];

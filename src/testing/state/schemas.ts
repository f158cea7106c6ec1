import assert from "node:assert/strict";
import { isHoldfastError, type SchemaVersionError } from "../../base/errors.ts";
import type { StandardSchema } from "../../state/index.ts";
import type { Case } from "../suite.ts";
import { all, keeps, rejects, storeOf } from "./client.ts";

interface Person {
  readonly name: string;
}

/** A schema by hand: names are text, and are trimmed. `later` makes it answer with a promise. */
function schema(later = false): StandardSchema<Person> {
  const check = (value: unknown): ReturnType<StandardSchema<Person>["~standard"]["validate"]> => {
    const name: unknown = typeof value === "object" && value !== null ? (value as { name?: unknown }).name : undefined;
    if (typeof name === "string") return { value: { name: name.trim() } };
    return { issues: [{ message: `not a name: ${JSON.stringify(value)}`, path: ["name", { key: 0 }] }] };
  };
  const slow = async (value: unknown): Promise<Awaited<ReturnType<typeof check>>> => {
    await new Promise((resolve) => setImmediate(resolve));
    return check(value);
  };
  return { "~standard": { version: 1, vendor: "conformance", validate: later ? slow : check } };
}

export const schemaCases: readonly Case[] = [
  {
    title: "values are checked on save and on load, and what the schema gives counts",
    proves: "state 9: schema",
    when: keeps,
    async run(context) {
      const raw = storeOf<unknown>(context);
      for (const later of [false, true]) {
        const store = storeOf<Person>(context, { schema: schema(later) });
        const ann = { name: " Ann " };
        const saving = store.save("k", ann);
        ann.name = "changed";
        await saving;
        assert.deepEqual([await store.load("k"), await raw.load("k")], [{ name: "Ann" }, { name: "Ann" }]);
        const entry = await store.update("k", ({ name }) => ({ name: `${name} B ` }));
        assert.deepEqual([entry?.value, await store.load("k")], [{ name: "Ann B" }, { name: "Ann B" }]);
        const wrong = { name: "secret".length } as unknown as Person;
        await rejects(store.save("k", wrong), "INVALID_ARGUMENT");
        await rejects(
          store.saveMany([
            ["j", ann],
            ["k", wrong],
          ]),
          "INVALID_ARGUMENT",
        );
        await rejects(
          store.update("k", () => wrong),
          "INVALID_ARGUMENT",
        );
        assert.deepEqual([await store.load("k"), await store.load("j")], [{ name: "Ann B" }, undefined]);
        await raw.save("bad", { name: ["secret"] });
        await rejects(store.load("bad"), "CORRUPT_VALUE");
        await assert.rejects(store.load("bad"), (error: Error) => {
          assert.match(error.message, /\$\.name\[0\]/);
          return !error.message.includes("secret");
        });
        await rejects(
          store.update("bad", () => ann),
          "CORRUPT_VALUE",
        );
        assert.deepEqual(await raw.load("bad"), { name: ["secret"] });
        await raw.delete("bad");
      }
    },
  },
  {
    title: "an older record is migrated on every load until it is saved anew",
    proves: "state 9: migrate(value, fromVersion)",
    when: keeps,
    async run(context) {
      await storeOf<string>(context).save("k", " Ann ");
      await storeOf<string>(context, { version: 2 }).save("l", "Bob");
      const from: number[] = [];
      for (const later of [false, true]) {
        const migrate = (value: unknown, version: number): unknown => {
          from.push(version);
          const person = { name: `${String(value)}!` };
          return later ? Promise.resolve(person) : person;
        };
        const store = storeOf<Person>(context, { version: 3, schema: schema(later), migrate });
        assert.deepEqual(await store.load("k"), { name: "Ann !" });
        assert.deepEqual([...(await store.loadMany(["k", "l"])).values()], [{ name: "Ann !" }, { name: "Bob!" }]);
        assert.deepEqual(from.splice(0), [1, 1, 2]);
      }
      const store = storeOf<Person>(context, { version: 3, migrate: (value) => ({ name: String(value) }) });
      const entry = await store.update("k", ({ name }) => ({ name: `${name}?` }));
      assert.deepEqual(await store.loadEntry("k"), entry);
      assert.deepEqual(entry?.value, { name: " Ann ?" });
    },
  },
  {
    title: "a record newer than the code is told as such and stays untouched",
    proves: "state 9: SchemaVersionError",
    when: keeps,
    async run(context) {
      const newer = storeOf<string>(context, { version: 12 });
      await newer.save("k", "new");
      for (const version of [undefined, 11]) {
        const old = storeOf<string>(context, { version, migrate: () => assert.fail("not for newer records") });
        await assert.rejects(old.load("k"), (error) => {
          assert.ok(isHoldfastError(error, "SCHEMA_VERSION"));
          const { found, known, key } = error as SchemaVersionError;
          assert.deepEqual([found, known, key], [12, version ?? 1, "k"]);
          return true;
        });
        await rejects(
          old.update("k", () => "old"),
          "SCHEMA_VERSION",
        );
        await rejects(
          old.upsert("k", () => "old"),
          "SCHEMA_VERSION",
        );
        await rejects(old.loadMany(["k"]), "SCHEMA_VERSION");
        if (context.capabilities.list) await rejects(all(old.list()), "SCHEMA_VERSION");
      }
      assert.equal(await newer.load("k"), "new");
    },
  },
  {
    title: "a record that cannot be decoded is told as such and stays",
    proves: "state 9: CorruptValueError",
    when: keeps,
    async run(context) {
      const reversed = {
        name: "reversed",
        encode: (value: unknown) => Array.from(JSON.stringify(value)).reverse().join(""),
        decode: (data: string | Uint8Array) => JSON.parse(Array.from(String(data)).reverse().join("")) as unknown,
      };
      const [store, other] = [storeOf<unknown>(context), storeOf<unknown>(context, { codec: reversed })];
      const version = await other.save("k", { secret: [1] });
      assert.deepEqual(await other.load("k"), { secret: [1] });
      await rejects(store.load("k"), "CORRUPT_VALUE");
      await rejects(
        store.update("k", () => 1),
        "CORRUPT_VALUE",
      );
      await assert.rejects(
        store.load("k"),
        (error: Error & { key?: string }) => error.key === "k" && !/secret/.test(error.message),
      );
      const failing = storeOf<unknown>(context, {
        version: 2,
        codec: reversed,
        migrate: () => {
          throw new Error("of the application");
        },
      });
      await rejects(failing.load("k"), "CORRUPT_VALUE");
      const forgetful = storeOf<unknown>(context, { version: 2, codec: reversed, migrate: () => undefined });
      await rejects(forgetful.load("k"), "CORRUPT_VALUE");
      assert.equal((await other.loadEntry("k"))?.version, version);
      await store.save("k", 1);
      assert.equal(await store.load("k"), 1, "a save replaces it");
    },
  },
  {
    title: "a codec of bytes keeps bytes",
    proves: "state 1: what you save is what you load",
    when: keeps,
    async run(context) {
      const codec = {
        name: "bytes",
        encode: (value: unknown) => Buffer.from(JSON.stringify(value), "utf16le"),
        decode: (data: string | Uint8Array) => {
          assert.ok(data instanceof Uint8Array);
          return JSON.parse(Buffer.from(data).toString("utf16le")) as unknown;
        },
      };
      const store = storeOf<unknown>(context, { codec });
      await store.save("k", { text: "\u00e9\u{1F512}" });
      assert.deepEqual(await store.load("k"), { text: "\u00e9\u{1F512}" });
      assert.deepEqual((await store.update("k", (value) => [value]))?.value, [{ text: "\u00e9\u{1F512}" }]);
    },
  },
  {
    title: "options that make no sense are refused when the store is made",
    proves: "every call 4: bad input",
    async run(context) {
      const wrong: readonly object[] = [
        { version: 0 },
        { version: 1.5 },
        { version: "2" },
        { migrate: {} },
        { schema: {} },
        { codec: {} },
        { ttl: -1 },
        { ttl: "soon" },
        { service: "s".repeat(257) },
      ];
      for (const options of wrong) {
        assert.throws(() => storeOf(context, options), { code: "INVALID_ARGUMENT" }, JSON.stringify(options));
      }
      for (const name of ["", "n".repeat(257), "\ud800", 5 as unknown as string]) {
        assert.throws(() => storeOf(context, {}, name), { code: "INVALID_ARGUMENT" }, JSON.stringify(name));
      }
    },
  },
];

import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import { space, type Key } from "../../base/keys.ts";
import type { Operation, Payload } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { Client, keeps, okOf, record } from "./client.ts";

const mib = 1024 * 1024;

const payloads: readonly Payload[] = [
  "",
  "text",
  "\u0000 \u0001 \u007f \u2028 \ufeff \ufffd",
  "ä ß 漢字 😀 e\u0301 \u{10ffff}",
  '{"json":[1,null]}',
  "bytes:AAECAw==",
  new Uint8Array(),
  new Uint8Array([0]),
  Uint8Array.from({ length: 256 }, (_, i) => i),
  new Uint8Array([0xff, 0xfe, 0xc3, 0x28]),
];

/** Keys that an encoding, a collation, a separator or a wildcard could mistake for one another. */
export const nastyKeys: readonly string[] = [
  ...["a", "A", "ä", "Ä", "a\u0308", "ß", "ss", "ı", "i", "I", "é", "e\u0301", "e"],
  ...[
    " ",
    "  ",
    " a",
    "a ",
    "\t",
    "\n",
    "\r\n",
    "\u0000",
    "a\u0000",
    "a\u0000b",
    "\u0001",
    "\u007f",
    "\u00a0",
    "\ufeff",
  ],
  ...[
    "a:b",
    "a/b",
    "a\\b",
    "a.b",
    "..",
    ".",
    "a%b",
    "%",
    "_",
    "*",
    "?",
    "[a]",
    "{a}",
    "}a{",
    "{}",
    "a{b}c",
    "$a",
    "#",
    "'",
    '"',
    "`",
  ],
  ...[
    "__proto__",
    "constructor",
    "null",
    "undefined",
    "0",
    "00",
    "-0",
    "1e3",
    "true",
    "\u{1f600}",
    "\u{10ffff}",
    "\uffff",
  ],
  "k".repeat(1_024),
  "漢".repeat(341),
  `${"k".repeat(1_023)}l`,
];

function check(found: Payload | undefined, expected: Payload): void {
  if (typeof expected === "string") assert.equal(found, expected);
  else {
    assert.ok(found instanceof Uint8Array, "bytes come back as bytes");
    assert.deepEqual([...found], [...expected]);
  }
}

export const recordCases: readonly Case[] = [
  {
    title: "a value comes back as the same type, with the same content",
    proves: "port: Payload",
    when: keeps,
    async run(context) {
      const [writer, reader] = [Client.of(context), Client.of(context)];
      for (const [i, value] of payloads.entries()) {
        const id = await writer.set(record(`k${i}`), value);
        const found = await reader.get(record(`k${i}`));
        check(found?.value, value);
        assert.equal(found?.key, `k${i}`);
        assert.equal(found.id, id);
        assert.equal(found.expiresAt, undefined);
      }
      await writer.set(record("k1"), new Uint8Array([1]));
      check((await reader.get(record("k1")))?.value, new Uint8Array([1]));
    },
  },
  {
    title: "a value is an independent copy, going in and coming out",
    proves: "state 1: an independent copy",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const given = Buffer.from([1, 2, 3]);
      await client.set(record("k"), given);
      given[0] = 9;
      const first = (await client.get(record("k")))?.value as Uint8Array;
      check(first, new Uint8Array([1, 2, 3]));
      first[1] = 9;
      check((await client.get(record("k")))?.value, new Uint8Array([1, 2, 3]));
    },
  },
  {
    title: "a mebibyte comes back whole",
    proves: "port: maxValue",
    when: (capabilities) => keeps(capabilities) && capabilities.maxValue >= mib,
    async run(context) {
      const client = Client.of(context);
      const bytes = Uint8Array.from({ length: mib }, (_, i) => (i * 31) & 0xff);
      await client.set(record("bytes"), bytes);
      const found = (await client.get(record("bytes")))?.value as Uint8Array;
      assert.equal(Buffer.compare(found, bytes), 0);
      const text = "ä€😀x".repeat(mib / 10);
      await client.set(record("text"), text);
      assert.ok((await client.get(record("text")))?.value === text);
    },
  },
  {
    title: "a version is any string of at most 64 bytes",
    proves: "port: StoredRecord.id",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      for (const id of ["1", "ä😀 '\\", "v".repeat(64), "-0", "null"]) {
        await client.ok({ op: "set", key: record("k"), id, value: "v" });
        assert.equal((await client.get(record("k")))?.id, id);
        await client.ok({ op: "check", key: record("k"), if: { id } });
      }
    },
  },
  {
    title: "every key works and is no other key",
    proves: "every call 4: every other key works",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      okAll(await client.groups(nastyKeys.map((key, i) => ({ ops: [write(record(key), `${i}`)] }))));
      for (const [i, key] of nastyKeys.entries()) {
        const found = await client.get(record(key));
        assert.equal(found?.key, key);
        assert.equal(found.value, `${i}`, `the value of ${JSON.stringify(key)}`);
      }
      for (const key of nastyKeys) assert.equal((await client.ok({ op: "delete", key: record(key) }))[0], true);
    },
  },
  {
    title: "kind, service, name and key are a tuple",
    proves: "every call 4: encoded as a tuple",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const keys: Key[] = [
        { space: space("state", "a", "b:c"), key: "d" },
        { space: space("state", "a:b", "c"), key: "d" },
        { space: space("state", "a", "b"), key: "c:d" },
        { space: space("state", "", "a"), key: "d" },
        { space: space("state", "a", "a"), key: "d" },
        { space: space("state", "A", "a"), key: "d" },
        { space: space("cache", "a", "a"), key: "d" },
        { space: space("stamp", "a", "a"), key: "d" },
        { space: space("result", "a", "a"), key: "d" },
        { space: space("state", "s".repeat(256), "n".repeat(256)), key: "k".repeat(1_024) },
        { space: space("state", "\u0000", "\u0000\u0000"), key: "d" },
        { space: space("state", "\u0000\u0000", "\u0000"), key: "d" },
      ];
      okAll(await client.groups(keys.map((key, i) => ({ ops: [write(key, `${i}`)] }))));
      for (const [i, key] of keys.entries()) assert.equal((await client.get(key))?.value, `${i}`);
    },
  },
  {
    title: "a write is seen by every client once it is acknowledged",
    proves: "state 7: reads",
    when: (capabilities) => capabilities.reads === "linearizable",
    async run(context) {
      const clients = [Client.of(context), Client.of(context), Client.of(context)];
      for (let i = 0; i < 60; i++) {
        const id = await (clients[i % 3] as Client).set(record("k"), `${i}`);
        for (const client of clients) assert.equal((await client.get(record("k")))?.id, id);
      }
      await clients[0]?.ok({ op: "delete", key: record("k") });
      for (const client of clients) assert.equal(await client.get(record("k")), undefined);
    },
  },
  {
    title: "delete says whether the record was there",
    proves: "port: delete",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const remove: Operation = { op: "delete", key: record("k") };
      assert.deepEqual(await client.ok(remove), [false]);
      await client.set(record("k"), "v");
      assert.deepEqual(await client.ok(remove), [true]);
      assert.deepEqual(await client.ok(remove), [false]);
      assert.equal(await client.get(record("k")), undefined);
    },
  },
];

function write(key: Key, value: string): Operation {
  return { op: "set", key, id: drawId(), value };
}

function okAll(outcomes: Awaited<ReturnType<Client["groups"]>>): void {
  for (const outcome of outcomes) okOf(outcome);
}

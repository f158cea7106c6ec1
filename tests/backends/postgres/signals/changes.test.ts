import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Client } from "pg";
import { space } from "../../../../src/base/keys.ts";
import { nameOf } from "../../../../src/backends/postgres/signals/channels.ts";
import { keyOf, records, until, World } from "./support.ts";

/** What is notified on the channel of those who watch the records, to somebody who is not registered. */
async function overhear(t: TestContext, world: World): Promise<{ readonly payloads: string[]; sync(): Promise<void> }> {
  const client = new Client(world.server.url);
  await client.connect();
  t.after(async () => client.end());
  const payloads: string[] = [];
  client.on("notification", ({ payload = "" }) => payloads.push(payload));
  await client.query(`LISTEN ${world.channels.of(nameOf("", { changes: records, prefix: "" }))}`);
  // Notifications come before the reply to what was asked after them.
  return { payloads, sync: async () => void (await client.query("SELECT 1")) };
}

describe("changes on Postgres", () => {
  it("are told in the statement or the transaction that makes them, and only if that takes effect", async (t) => {
    const world = await World.of(t);
    const heard = await world.watch("a");
    await world.set(["a1", "b1", "a2,\n\\"]);
    await heard.until("both", ({ changed }) => changed.length === 2);
    assert.deepEqual(heard.changed.toSorted(), ["a1", "a2,\n\\"]);

    const undone = await world.client.transaction(world.soon(), "calls");
    await undone.run([world.setOf(["a3"])]);
    undone.rollback();
    const done = await world.client.transaction(world.soon(), "calls");
    await done.run([world.setOf(["a4"])]);
    assert.equal(heard.changed.length, 2);
    await done.commit([world.removeOf(["a1"])]);
    await heard.until("what was committed", ({ changed }) => changed.length === 4);
    assert.deepEqual(heard.changed.slice(2).toSorted(), ["a1", "a4"]);
  });

  it("cost no notification where nobody watches that space", async (t) => {
    const world = await World.of(t);
    const { payloads, sync } = await overhear(t, world);
    await world.set(["before"]);
    const heard = await world.watch();
    const other = await world.watch("", space("state", "svc", "others"));
    await world.set(["while"]);
    await world.set(["elsewhere"], space("cache", "svc", "records"));
    await heard.until("the one", ({ changed }) => changed.includes("while"));
    heard.stop();
    await until("it is taken back", async () => {
      const [row] = await world.query(`SELECT count(*)::int AS n FROM ${world.names.watchers}`);
      return row?.["n"] === 1;
    });
    await world.set(["after"]);
    await sync();
    assert.deepEqual(
      payloads.map((one) => Buffer.from(one, "base64").toString()),
      ["while"],
    );
    assert.deepEqual(other.signals, []);
  });

  it("of many keys go in few payloads, and none is too long", async (t) => {
    const world = await World.of(t);
    const { payloads, sync } = await overhear(t, world);
    const heard = await world.watch();
    const short = Array.from({ length: 256 }, (_, i) => `key:${i}`);
    await world.set(short);
    await sync();
    assert.equal(payloads.length, 1);
    const long = Array.from({ length: 200 }, (_, i) => `${i}${"ä".repeat(510)}`);
    await world.set(long);
    await sync();
    assert.ok(payloads.length <= 1 + 50, `${payloads.length} payloads`);
    await heard.until("all", ({ changed }) => changed.length === 456);
    assert.deepEqual(new Set(heard.changed), new Set([...short, ...long]));
  });

  it("are none where a row was inserted to be locked, and removed", async (t) => {
    const world = await World.of(t);
    const heard = await world.watch();
    const transaction = await world.client.transaction(world.soon(), "calls");
    await transaction.run([world.dialect.insertMissing("records", [keyOf("lock"), keyOf("kept")])]);
    await transaction.commit([world.removeOf(["lock"]), world.setOf(["kept"])]);
    await heard.until("the other", ({ changed }) => changed.length > 0);
    assert.deepEqual(heard.changed, ["kept"]);
  });

  it("are told of what the sweep removes", async (t) => {
    const world = await World.of(t);
    await world.set(["gone"], records, -1);
    await world.set(["there"]);
    const heard = await world.watch();
    const [row] = await world.write(world.dialect.sweep("records", 10, Number.MIN_SAFE_INTEGER));
    assert.equal(row?.[0], 1);
    await heard.until("its end", ({ changed }) => changed.length > 0);
    assert.deepEqual(heard.changed, ["gone"]);
  });
});

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Client } from "pg";
import { space } from "../../../../src/base/keys.ts";
import { virtualTime } from "../../../../src/testing/virtual-time.ts";
import { records, until, World } from "./support.ts";

/** A connection of an application. */
async function connected(t: TestContext, world: World): Promise<Client> {
  const client = new Client(world.server.url);
  await client.connect();
  t.after(async () => client.end());
  return client;
}

describe("watching records on Postgres", () => {
  it("tells of every change that is acknowledged from when it is live, however many write meanwhile", async (t) => {
    const world = await World.of(t);
    const writer = await World.of(t, { prefix: world.prefix });
    const write = async (key: string): Promise<void> => void (await writer.write(world.setOf([key])));
    for (let round = 0; round < 25; round++) {
      let writing = true;
      const acknowledged: { readonly key: string; readonly at: number }[] = [];
      const lanes = Array.from({ length: 4 }, async (_, lane) => {
        for (let i = 0; writing; i++) {
          const key = `${round}.${lane}.${i}`;
          await write(key);
          acknowledged.push({ key, at: performance.now() });
        }
      });
      const heard = await world.watch(`${round}.`);
      const live = performance.now();
      await write(`${round}.last`);
      writing = false;
      await Promise.all(lanes);
      await write(`${round}.end`);
      await heard.until("the end", ({ changed }) => changed.includes(`${round}.end`));
      const told = new Set(heard.changed);
      const missed = acknowledged.filter(({ key, at }) => at > live && !told.has(key));
      assert.deepEqual(missed, []);
      heard.stop();
    }
  });

  it("is live once a write is over that began before, though it had written nothing yet", async (t) => {
    const world = await World.of(t);
    await world.set(["k"]);
    const [holder, writer] = [await connected(t, world), await connected(t, world)];
    await holder.query("BEGIN");
    await holder.query(`SELECT FROM ${world.names.records} FOR UPDATE`);
    const { text, values } = world.setOf(["k"]);
    const order: string[] = [];
    const writing = writer.query(text, [...values]).then(() => order.push("written"));
    await until("it waits", async () => {
      const waiting = await world.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
      return waiting.length > 0;
    });
    const watching = world.watch().then((heard) => {
      order.push("live");
      return heard;
    });
    await until("it is registered", async () => (await world.query(`SELECT FROM ${world.names.watchers}`)).length > 0);
    // Time enough to be live too early.
    for (let i = 0; i < 10; i++) await world.query("SELECT 1");
    await holder.query("ROLLBACK");
    const [heard] = await Promise.all([watching, writing]);
    // On a machine that is slow, it was live before and has told so.
    if (order[0] === "live") await heard.until("the gap", ({ gaps }) => gaps === 1);
    await world.set(["next"]);
    await heard.until("the next one", ({ changed }) => changed.includes("next"));
  });

  it("does not wait long for a transaction that began before, and tells a gap once that is over", async (t) => {
    const world = await World.of(t);
    // Of an application, say: those of ours do not last so long.
    const older = await connected(t, world);
    await older.query("BEGIN");
    const { text, values } = world.setOf(["older"]);
    await older.query(text, [...values]);
    const heard = await world.watch();
    const other = await world.watch("", space("state", "svc", "elsewhere"));
    assert.deepEqual(heard.signals, []);
    await older.query("COMMIT");
    await heard.until("the gap", ({ gaps }) => gaps === 1);
    await other.until("the gap", ({ gaps }) => gaps === 1);
    assert.deepEqual(heard.changed, [], "that transaction could not know");
    await world.set(["newer"]);
    await heard.until("the newer one", ({ changed }) => changed.includes("newer"));
    assert.equal(heard.gaps, 1);
  });

  it("is renewed, and tells a gap where the registration was gone for a time", async (t) => {
    const time = virtualTime();
    const world = await World.of(t, { time });
    const ends = async (): Promise<readonly number[]> => {
      const rows = await world.query(`SELECT until FROM ${world.names.watchers}`);
      return rows.map((row) => Number(row["until"]));
    };
    const renewed = async (): Promise<void> => {
      const [before = 0] = await ends();
      await world.pass(time, 20_000);
      await until("it is renewed", async () => ((await ends())[0] ?? 0) > before);
    };
    const heard = await world.watch();
    await renewed();
    assert.deepEqual(heard.signals, [], "what is renewed in time has missed nothing");
    for (const [i, lapse] of [
      `UPDATE ${world.names.watchers} SET until = 1`,
      `DELETE FROM ${world.names.watchers}`,
    ].entries()) {
      await world.query(lapse);
      await world.set([`untold ${i}`]);
      await renewed();
      await heard.until("the gap", ({ gaps }) => gaps === i + 1);
      await world.set([`told ${i}`]);
      await heard.until("a change", ({ changed }) => changed.includes(`told ${i}`));
      assert.ok(!heard.changed.includes(`untold ${i}`));
    }
    heard.stop();
    await until("it is taken back", async () => (await ends()).length === 0);
    await world.pass(time, 60_000);
    assert.deepEqual(await ends(), [], "nobody watches, and nothing is renewed");
  });

  it("costs writes nothing any more a while after its process died, and leaves nothing behind", async (t) => {
    const world = await World.of(t);
    const id = `decode('${Buffer.from(records.id).toString("hex")}', 'hex')`;
    const values = `(${id}, 'dead', 'hf_dead', 1), (${id}, 'alive', 'hf_alive', ${Date.now() + 600_000})`;
    await world.query(`INSERT INTO ${world.names.watchers} (space, watcher, channel, until) VALUES ${values}`);
    const [row] = await world.write(world.setOf(["a"]));
    assert.equal(row?.[2], 1, "one channel was notified");
    await world.write(world.dialect.sweep("watchers", 10, 0));
    const rows = await world.query(`SELECT watcher FROM ${world.names.watchers}`);
    assert.deepEqual(rows, [{ watcher: "alive" }]);
  });

  it("is one registration of a process for each space, and all end with the hub", async (t) => {
    const world = await World.of(t);
    const count = async (): Promise<unknown> => {
      const [row] = await world.query(`SELECT count(*)::int AS n FROM ${world.names.watchers}`);
      return row?.["n"];
    };
    const [one, two] = await Promise.all([world.watch("a"), world.watch("b")]);
    await Promise.all(Array.from({ length: 100 }, async (_, i) => world.watch("", space("state", "", `n${i}`))));
    assert.equal(await count(), 101);
    one.stop();
    await world.set(["b"]);
    await two.until("a change", ({ changed }) => changed.length === 1);
    await world.hub.close();
    assert.equal(await count(), 0);
  });
});

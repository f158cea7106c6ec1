import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connect, isHoldfastError, type HoldfastError } from "../../src/entries/index.ts";
import { everyKind, lacks } from "../support/redis/kinds.ts";
import { startRedis } from "../support/redis/server.ts";
import { report } from "./support/doctor.ts";

// What a user lacks is told at once and whole, by the server's own word for it: when it connects, by doctor, and by a call of
// a service that had the right when it opened.

interface Lacking {
  readonly rights: string;
  /** What it may not do, as doctor says it. */
  readonly lacks: string;
  readonly remedy: string;
}

const everything = "~hf:* &* +@all";

const lacking: readonly Lacking[] = [
  { rights: `${everything} -time -publish`, lacks: "time, publish", remedy: "allow +time +publish" },
  { rights: `${everything} -setrange`, lacks: "setrange", remedy: "allow +setrange" },
  { rights: `${everything} -eval -evalsha -zadd`, lacks: "evalsha, eval, zadd", remedy: "allow +evalsha +eval +zadd" },
  { rights: "~other:* &* +@all", lacks: "reach keys ~hf:*", remedy: "allow ~hf:*" },
  {
    rights: "~other:* &other:* +@all -time",
    lacks: "time, reach keys ~hf:*, use channels &hf:*",
    remedy: "allow +time ~hf:* &hf:*",
  },
];

async function errorOf(t: TestContext, what: string, call: () => Promise<unknown>): Promise<HoldfastError> {
  const started = performance.now();
  try {
    await call();
  } catch (error) {
    assert.ok(isHoldfastError(error), String(error));
    t.diagnostic(`${what}: ${(performance.now() - started).toFixed(0)} ms`);
    return error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

for (const kind of everyKind) {
  // Dragonfly has words of its own for what is not allowed.
  describe(`a user of ${kind} that lacks rights`, { skip: lacks(kind) || kind === "dragonfly" }, () => {
    it("is told all of them at once, by connect and by doctor", async (t) => {
      const users = lacking.map(({ rights }, i) => `user app${i} on >secret ${rights}`);
      const server = await startRedis({ kind, appendonly: "everysec", users });
      t.after(() => server.stop());
      for (const [i, { lacks: what, remedy }] of lacking.entries()) {
        const url = server.url.replace("//", `//app${i}:secret@`);
        const error = await errorOf(t, `connect without ${what}`, async () => connect(url));
        assert.equal(error.code, "UNSUPPORTED");
        assert.ok(error.message.includes(`NOPERM: the user may not: ${what}:`), error.message);
        assert.ok(error.message.includes(`${remedy} (`), error.message);
        const { code, said } = await report(url);
        const finding = said.findings.find(({ level }) => level === "wrong");
        assert.deepEqual([code, finding?.what, finding?.remedy], [1, `the user may not: ${what}`, remedy]);
      }
      assert.deepEqual(await server.command("KEYS", "*"), [], "nothing was written");
    });

    it("hears of it from the first call that needs a right which was taken away", async (t) => {
      const server = await startRedis({ kind, appendonly: "everysec", users: [`user app on >secret ${everything}`] });
      t.after(() => server.stop());
      const hf = await connect(server.url.replace("//", "//app:secret@"));
      t.after(() => hf.close());
      const orders = hf.state<number>("orders");
      await server.command("ACL", "SETUSER", "app", "-time", "-publish", "-mset", "-set");
      for (const [what, call] of [
        ["save", async () => orders.save("1", 1)],
        ["a save with a ttl", async () => orders.save("1", 1, { ttl: "1m" })],
        ["update", async () => orders.upsert("1", () => 1)],
        ["acquire", async () => hf.lock("orders").acquire("1", { wait: "10s" })],
        ["tryAcquire", async () => hf.lock("orders").tryAcquire("1")],
      ] as const) {
        const error = await errorOf(t, `${what} without +time +set`, call);
        assert.equal(error.code, "UNSUPPORTED", `${what}: ${error.message}`);
        assert.match(error.message, /^NOPERM .*; allow .*holdfast doctor/);
      }
      await server.command("ACL", "SETUSER", "app", everything.split(" ")[2] as string);
      await orders.save("1", 1, { ttl: "1m" });

      const before = await orders.loadEntry("1");
      await server.command("ACL", "SETUSER", "app", "-setrange");
      const error = await errorOf(t, "touch without +setrange", async () => orders.touch("1", "1h"));
      assert.equal(error.code, "UNSUPPORTED", error.message);
      assert.match(error.message, /^NOPERM .*; allow .*holdfast doctor/);
      assert.deepEqual(await orders.loadEntry("1"), before, "nothing was changed");
    });

    it("opens with settings: warn, and is warned", async (t) => {
      const users = [`user app on >secret ${everything} -publish`];
      const server = await startRedis({ kind, appendonly: "everysec", users });
      t.after(() => server.stop());
      const warned = new Promise<string>((resolve) => process.once("warning", ({ message }) => resolve(message)));
      const hf = await connect(`${server.url.replace("//", "//app:secret@")}?settings=warn`);
      t.after(() => hf.close());
      assert.match(await warned, /NOPERM: the user may not: publish/);
      await hf.state<number>("orders").save("1", 1);
      assert.equal(await hf.state<number>("orders").load("1"), 1);
    });
  });
}

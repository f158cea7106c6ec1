import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { execFile } from "node:child_process";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import { connect, type Holdfast } from "../../../src/entries/index.ts";
import { misbehavingBackend, type Fault } from "../../../src/entries/testing.ts";
import { FaultProxy } from "../../support/fault-proxy.ts";
import { shared } from "../../support/redis/shared.ts";
import { until } from "../../support/servers/until.ts";

/** Instances that share data of their own and miss what the fault makes them miss. */
async function instances(t: TestContext, count: number, fault: Fault, url?: string): Promise<readonly Holdfast[]> {
  const prefix = `lost-${randomBytes(6).toString("hex")}`;
  const to = url ?? (await shared.single("redis")).url;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const backend = misbehavingBackend(redisBackend({ url: to, prefix }), fault);
      const hf = await connect(backend);
      t.after(async () => {
        await hf.close();
        await backend.close();
      });
      return hf;
    }),
  );
}

/** Passes a lock around among all instances; how many were told of a grant that was theirs, and the longest wait in ms. */
async function passAround(all: readonly Holdfast[], rounds: number): Promise<{ longest: number; turns: number }> {
  let holding = 0;
  let turns = 0;
  let longest = 0;
  await Promise.all(
    all.map(async (hf) => {
      for (let round = 0; round < rounds; round++) {
        const start = performance.now();
        await hf.lock("contended").run("k", async () => {
          longest = Math.max(longest, performance.now() - start);
          assert.equal(++holding, 1, "two holders");
          await new Promise((resolve) => setImmediate(resolve));
          holding--;
          turns++;
        });
      }
    }),
  );
  return { longest, turns };
}

describe("signals that are lost", () => {
  for (const nth of [2, 3]) {
    it(`cost a waiter time and nothing else, be it every ${nth === 2 ? "second" : "third"}`, async (t) => {
      let told = 0;
      let dropped = 0;
      const all = await instances(t, 4, {
        name: "drops every nth grant",
        tells: ({ type }) => type !== "granted" || ++told % nth !== 0 || ++dropped < 0,
      });
      const { longest, turns } = await passAround(all, 4);
      assert.equal(turns, 16);
      assert.ok(dropped > 0, "no grant was dropped");
      assert.ok(longest < 10_000, `a waiter was served after ${Math.round(longest)} ms`);
    });
  }

  it("may be all of them", async (t) => {
    const all = await instances(t, 2, { name: "drops all grants", tells: ({ type }) => type !== "granted" });
    const { turns } = await passAround(all, 2);
    assert.equal(turns, 4);
  });

  it("are asked for again after a gap, at once", async (t) => {
    const redis = await shared.single("redis");
    const [a, b] = await instances(t, 2, { name: "none" });
    const lease = await a?.lock("l").acquire("k");
    const waiting = b?.lock("l").acquire("k", { wait: "20s" });
    await until("a waiter", async () => (await a?.lock("l").inspect("k"))?.waiting === 1);
    await until("its channel", async () => String(await redis.command("PUBSUB", "CHANNELS")) !== "");
    // Cuts the waiter off from its wake-ups, so that the grant is told to nobody.
    await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
    await lease?.release();
    const next = await waiting;
    assert.ok((next?.fence ?? 0n) > (lease?.fence ?? 0n));
    await next?.release();
  });
});

describe("a subscription on redis", () => {
  it("does not keep the process alive", async () => {
    const { url } = await shared.single("redis");
    const program = path.join(import.meta.dirname, "programs", "listening.ts");
    const start = performance.now();
    const { stdout } = await promisify(execFile)(process.execPath, [program, url], { timeout: 20_000 });
    assert.equal(stdout.trim(), "listening");
    assert.ok(performance.now() - start < 10_000);
  });

  it("that a silent network cuts off is told of the gap, and goes on", async (t) => {
    const redis = await shared.single("redis");
    const proxy = await FaultProxy.start({ port: redis.port });
    const [hf] = await instances(t, 1, { name: "none" }, `redis://127.0.0.1:${proxy.port}`);
    t.after(() => proxy.close());
    const seen: string[] = [];
    const changes = (await hf?.state("s").watch()) as AsyncIterable<{ type: string }>;
    void (async () => {
      for await (const { type } of changes) seen.push(type);
    })();
    proxy.set({ kind: "refuse" });
    proxy.cut();
    proxy.set({ kind: "none" });
    await until("the gap", async () => seen.includes("gap"));
    await hf?.state("s").save("k", 1);
    await until("the change", async () => seen.includes("save"));
  });
});

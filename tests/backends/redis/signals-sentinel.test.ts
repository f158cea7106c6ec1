import assert from "node:assert/strict";
import { it } from "node:test";
import { connect, type Change } from "../../../src/entries/index.ts";
import { startSentinel } from "../../support/redis/sentinel.ts";
import { until } from "../../support/servers/until.ts";

it("after a failover the new master has the flags, a watch is told of the gap, and waiters get their lock", async (t) => {
  const group = await startSentinel({ kind: "redis", appendonly: "everysec" });
  t.after(() => group.stop());
  const [hf, other] = await Promise.all([connect(group.url), connect(group.url)]);
  t.after(() => hf.close());
  t.after(() => other.close());
  const changes: Change<unknown>["type"][] = [];
  const watching = await hf.state("s").watch();
  void (async () => {
    for await (const change of watching) changes.push(change.type);
  })();
  await other.state("s").save("k", 1);
  await until("the change", async () => changes.includes("save"));
  const old = await group.primary();
  await old.kill();
  const master = await group.failedOver(old);
  await until("the gap", async () => changes.includes("gap"));
  await until("its flags", async () => {
    const [, flags = ""] = (await master.command("CONFIG", "GET", "notify-keyspace-events")) as string[];
    return ["$", "K", "e", "g", "x"].every((flag) => flags.includes(flag));
  });
  changes.length = 0;
  // The new master may cut its clients once more: a write of that moment is told as a gap.
  await until("a change after it", async () => {
    const saved = other.state("s").save("k", 2, { timeout: "1s" });
    await saved.catch((error: unknown) => t.diagnostic(String(error)));
    return changes.includes("save");
  });
  const lease = await hf.lock("l").acquire("k");
  const waiting = other.lock("l").acquire("k", { wait: "20s" });
  await until("a waiter", async () => (await hf.lock("l").inspect("k"))?.waiting === 1);
  await lease.release();
  const next = await waiting;
  assert.ok(next.fence > lease.fence);
  await next.release();
});

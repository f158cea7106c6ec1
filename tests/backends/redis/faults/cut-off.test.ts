import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, isHoldfastError } from "../../../../src/entries/index.ts";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { groupKinds, lacks } from "../../../support/redis/kinds.ts";
import { hasCaughtUp, startSentinel } from "../../../support/redis/sentinel.ts";
import type { RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";
import { sendAll } from "../../../support/redis/wire.ts";

/** Whom the clients are, apart from the servers, which need no password among each other. */
const client = { user: "app", password: "secret" } as const;
const grants = [client.user, "on", `>${client.password}`, "~*", "&*", "+@all"];

/** Cuts a server off from the other servers, which are the user `default`, and from nobody else. */
async function cutOff(server: RedisServer): Promise<void> {
  await sendAll(server, [
    ["ACL", "SETUSER", "default", "off"],
    ["CLIENT", "KILL", "USER", "default"],
  ]);
}

async function letIn(server: RedisServer): Promise<void> {
  await sendAll({ host: server.host, port: server.port, ...client }, [["ACL", "SETUSER", "default", "on"]]);
}

async function rejects(call: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
  await assert.rejects(call, (error) => isHoldfastError(error) && codes.includes(error.code));
}

for (const kind of groupKinds) {
  const skip = lacks(kind);
  const title = `what a primary of ${kind} acknowledges while it is cut off is lost when it comes back, and its leases guard nothing`;
  void test(title, { skip }, async () => {
    const users = [`user ${grants.join(" ")}`];
    const group = await startSentinel({ kind, appendonly: "always", users });
    for (const sentinel of group.sentinels) await sentinel.command("ACL", "SETUSER", ...grants);
    const login = `${client.user}:${client.password}@`;
    const [primary, replica] = [await group.primary(), await group.replica()];
    // Two that are on the side of the primary: one that asks a sentinel, and one that knows its address.
    const sentinel = await FaultProxy.start({ port: group.sentinels[0]?.port ?? 0 });
    const options = { service: "cut", timeout: "10s" } as const;
    const asks = await connect(`redis+sentinel://${login}127.0.0.1:${sentinel.port}/${group.name}`, options);
    const knows = await connect(primary.url.replace("//", `//${login}`), options);
    const beyond = await connect(group.url.replace("//", `//${login}`), options);
    try {
      const records = asks.state<string>("records");
      await records.save("k", "before");
      const renewed = await asks.lock("work").acquire("k", { ttl: "9s" });
      const other = await knows.lock("work").acquire("other", { ttl: "9s" });
      await hasCaughtUp(replica, primary);

      sentinel.set({ kind: "black-hole" });
      await cutOff(primary);
      await group.failedOver(primary);

      // It has not noticed: it grants, renews and writes, and says so.
      const long = await asks.lock("work").acquire("long", { ttl: "10m", renew: false });
      await records.save("long", "acknowledged", { lease: long });
      await knows.state<string>("records").save("other", "acknowledged", { lease: other });

      // The other side has heard of no renewal, and of the last lease not at all.
      const after = beyond.state<string>("records");
      const nextLong = await beyond.lock("work").acquire("long", { ttl: "10m", wait: 0 });
      const next = await beyond.lock("work").acquire("k", { ttl: "10m", wait: "60s" });
      await renewed.extend();
      await records.save("k", "acknowledged", { lease: renewed });
      assert.equal(renewed.signal.aborted, false, "two hold it, each by the account of its primary");
      assert.ok(next.fence > renewed.fence && nextLong.fence > long.fence, "fences rise all the same");
      await after.save("k", "next", { lease: next });
      await after.save("long", "next", { lease: nextLong });
      assert.deepEqual([await records.load("k"), await after.load("k")], ["acknowledged", "next"]);

      const [lost, ended] = [renewed, other].map(async ({ signal }) => signal.aborted || once(signal, "abort"));
      await letIn(primary);
      sentinel.set({ kind: "none" });
      await group.rejoin(primary);

      // This is what `exclusion: "primary"` leaves open: what it acknowledged is gone.
      await until("the client to follow", async () => (await records.load("long").catch(() => "")) === "next");
      assert.equal(await records.load("k"), "next");
      assert.equal(await after.load("other"), undefined);
      assert.equal(long.signal.aborted, false, "nobody has told its holder");
      await rejects(records.save("long", "late", { lease: long }), "FENCED");
      await rejects(long.extend(), "LEASE_LOST", "FENCED");
      assert.equal(long.signal.aborted, true, "now it knows");
      await lost;
      await rejects(records.save("k", "late", { lease: renewed }), "LEASE_LOST", "FENCED");
      // Who goes on asking the server that is a replica now is told nothing, and writes nothing.
      await rejects(
        knows.state<string>("records").save("other", "late", { lease: other }),
        "UNAVAILABLE",
        "FENCED",
        "LEASE_LOST",
      );
      await ended;
      assert.deepEqual([...(await after.loadMany(["k", "long", "other"]))].flat(), ["k", "next", "long", "next"]);
    } finally {
      await Promise.all([asks.close(), knows.close(), beyond.close()]);
      await sentinel.close();
      await group.stop();
    }
  });
}

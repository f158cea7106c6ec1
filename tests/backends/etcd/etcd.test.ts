import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { etcdBackend } from "../../../src/backends/etcd/index.ts";
import { decode, encode } from "../../../src/backends/etcd/client/index.ts";
import { connect, examine, isHoldfastError, type Change } from "../../../src/entries/index.ts";
import { elapse } from "../../../src/testing/elapse.ts";
import { lacks } from "../../support/etcd/kinds.ts";
import { startEtcd, startEtcdCluster, type EtcdServer } from "../../support/etcd/server.ts";
import { until } from "../../support/servers/until.ts";
import type { EtcdKind } from "./servers.ts";

const kinds: readonly EtcdKind[] = ["etcd34", "etcd35"];

async function onServer(
  options: Parameters<typeof startEtcd>[0],
  work: (server: EtcdServer) => Promise<void>,
): Promise<void> {
  const server = await startEtcd(options);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

describe("messages of etcd", () => {
  it("are read as they were written, numbers of all sizes and long ones too", () => {
    const content = Buffer.alloc(300_000, "ä");
    for (const revision of [0, 1, 127, 128, 2 ** 31, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      const compare = [{ target: 2, key: Buffer.from("a"), revision }];
      const txn = { compare, success: [{ put: { key: Buffer.from("k"), content, lease: 7 } }, { txn: { compare } }] };
      assert.deepEqual(decode("Txn", encode("Txn", txn)), txn);
    }
  });

  it("that end early, or are none, are errors and not values", () => {
    const whole = encode("Cell", { key: Buffer.from("key"), revision: 2n ** 60n, content: Buffer.from("content") });
    const known = new Set<string>();
    for (let end = 0; end < whole.length; end++) {
      try {
        known.add(JSON.stringify(Object.keys(decode("Cell", whole.subarray(0, end)))));
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }
    // Between two fields a message may well end.
    assert.deepEqual([...known], ["[]", '["key"]', '["key","revision"]']);
    assert.throws(() => decode("Cell", Buffer.alloc(12, 255)), RangeError);
  });
});

describe("options of etcd", () => {
  it("are refused early, and no part of the URL is quoted", () => {
    for (const url of [
      "etcd://host/path",
      "etcd://%2Frun%2Fetcd.sock",
      "etcd://host?ca=secret.pem",
      "etcd://secret@host",
      "etcd://host?other=secret",
      "other://secret",
    ]) {
      assert.throws(
        () => etcdBackend({ url }),
        (error) => isHoldfastError(error, "INVALID_ARGUMENT") && !/secret/.test((error as Error).message),
        url,
      );
    }
    assert.throws(() => etcdBackend({ url: "etcd://host", tls: {} }), { code: "INVALID_ARGUMENT" });
    assert.throws(() => etcdBackend({ url: "etcd://host", prefix: "" }), { code: "INVALID_ARGUMENT" });
  });
});

// What servers say of users and of their past differs from version to version.
for (const kind of kinds) {
  describe(kind, { skip: lacks(kind) }, () => {
    it("is reached as a user, also after its tokens have ended; others may not", async () =>
      onServer({ kind, settings: ["--auth-token-ttl", "1"] }, async (server) => {
        for (const [user, prefix] of [
          ["root", "*"],
          ["one", "holdfast/"],
        ]) {
          await server.administer("auth/user/add", { name: user, password: "topsecret" });
          await server.administer("auth/role/add", { name: user });
          if (prefix !== "*") {
            const [key, end] = ["holdfast/", "holdfast0"].map((text) => Buffer.from(text).toString("base64"));
            const perm = { permType: "READWRITE", key, range_end: end };
            await server.administer("auth/role/grant", { name: user, perm });
          }
          await server.administer("auth/user/grant", { user, role: user });
        }
        await server.administer("auth/enable", {});
        const at = `etcd://one:topsecret@127.0.0.1:${server.port}`;
        const hf = await connect(at, { timeout: "20s" });
        const orders = hf.state<number>("orders");
        await orders.save("1", 1);
        await elapse(2_500); // tokens that nobody has used for a second have ended
        await orders.save("1", 2, { ttl: "1m" });
        assert.equal(await orders.load("1"), 2);
        await hf.lock("l").run("k", async () => undefined);
        await hf.close();
        for (const other of [at.replace("topsecret", "wrong"), server.url, `${at}?prefix=other/`]) {
          await assert.rejects(connect(other, { timeout: "2s" }), (error) => {
            return isHoldfastError(error, "UNAVAILABLE") && !/topsecret/.test(error.message);
          });
        }
      }));

    it("goes on with a watch where it was after a restart, and tells of a gap where its past is gone", async () =>
      onServer({ kind }, async (server) => {
        const [one, other] = [await connect(server.url), await connect(server.url)];
        const changes = await one.state<number>("orders").watch();
        const seen: Change<number>[] = [];
        const watching = (async () => {
          for await (const change of changes) seen.push(change);
        })();
        await other.state<number>("orders").save("1", 1);
        await until("a change", async () => seen.length === 1);
        await server.restart();
        await until("another change", async () => {
          await other
            .state<number>("orders")
            .save("2", 2)
            .catch(() => undefined);
          return seen.some((change) => change.type === "save" && change.entry.key === "2");
        });
        assert.ok(!seen.some(({ type }) => type === "gap"), "it goes on where it was");
        await server.restart({ keep: false });
        await until("a gap", async () => {
          await other
            .state<number>("orders")
            .save("3", 3)
            .catch(() => undefined);
          return seen.some(({ type }) => type === "gap");
        });
        await one.close();
        await watching;
        await other.close();
      }));
  });
}

describe("etcd", { skip: lacks("etcd35") }, () => {
  const kind = "etcd35";

  it("is reached with TLS, by who trusts its certificate", async () =>
    onServer({ kind, tls: true }, async ({ url }) => {
      const hf = await connect(url);
      await hf.state("orders").save("1", 1);
      assert.equal(await hf.state("orders").load("1"), 1);
      await hf.close();
      await assert.rejects(connect(url.replace(/\?ca=.*/, ""), { timeout: "5s" }), (error) => {
        return isHoldfastError(error, "UNAVAILABLE") && /certificate/.test(error.message);
      });
    }));

  it("reads many large values at once, whose reply comes in thousands of pieces", async () =>
    onServer({ kind }, async ({ url }) => {
      const hf = await connect(url, { timeout: "15s" });
      const large = hf.state<string>("large");
      const keys = Array.from({ length: 32 }, (_, i) => `${i}`);
      for (const key of keys) await large.save(key, key + "v".repeat(900_000));
      const found = await large.loadMany(keys);
      for (const key of keys) assert.ok(found.get(key)?.startsWith(`${key}v`));
      await hf.close();
    }));

  it("says what is set wrong", async () =>
    onServer({ kind }, async (server) => {
      await server.administer("maintenance/alarm", { action: "ACTIVATE", alarm: "NOSPACE", memberID: "1" });
      const { findings, facts, roundTrips } = await examine(server.url);
      const found = (wanted: string): string[] =>
        findings.filter(({ level }) => level === wanted).map(({ what }) => what);
      assert.deepEqual(found("wrong"), ["the alarm NOSPACE is raised"]);
      assert.ok(found("risk").includes("1 voting member"), "beside a slow disk, where the machine is busy");
      assert.ok(facts.some(({ name, text }) => name === "quota" && text === "2.0 GiB"));
      assert.ok((roundTrips[0]?.count ?? 0) > 0);
    }));

  it("keeps no process alive that waits for nothing; its lock is free once the cluster has removed it", async () =>
    onServer({ kind }, async (server) => {
      const file = path.join(server.folder, "idle.ts");
      const entry = pathToFileURL(path.resolve("src/entries/index.ts")).href;
      writeFileSync(
        file,
        `import { connect } from ${JSON.stringify(entry)};
const hf = await connect(${JSON.stringify(server.url)});
const { fence } = await hf.lock("l").acquire("k", { ttl: "1s" });
await hf.state("orders").watch();
await hf.state("orders").save("1", 1);
console.log(String(fence));`,
      );
      const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 60_000 });
      const locks = { key: Buffer.from("holdfast/l"), end: Buffer.from("holdfast/m") };
      await until(
        "the cluster to remove the lock",
        async () => {
          const { cells } = await server.ask({ path: "KV/Range", asks: "Range", gets: "Ranged" }, locks);
          return cells === undefined;
        },
        40_000,
      );
      // It has not seen the lease of the other one, and so it does not judge it.
      const hf = await connect(server.url);
      const lease = await hf.lock("l").tryAcquire("k");
      assert.ok(lease && lease.fence > BigInt(stdout), `${lease?.fence} after ${stdout}`);
      await hf.close();
    }));
});

describe("a cluster of etcd", { skip: lacks("etcd35") }, () => {
  it("goes on while a member is away, whichever it is", async () => {
    const cluster = await startEtcdCluster({ kind: "etcd35" });
    const hf = await connect(cluster.url, { timeout: "30s" });
    try {
      const orders = hf.state<number>("orders");
      for (const [i, member] of cluster.members.entries()) {
        await member.kill();
        await cluster.leader(); // what is on its way to one that has died may be lost
        await orders.save(`${i}`, i);
        assert.equal(await orders.load(`${i}`), i);
        await member.restart();
      }
    } finally {
      await hf.close();
      await cluster.stop();
    }
  });
});

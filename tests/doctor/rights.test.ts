import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { root } from "../../scripts/lib/run.ts";
import { script } from "../../src/backends/redis/lua/script.ts";
import { trials } from "../../src/backends/redis/settings/rights.ts";
import { connect, type Holdfast } from "../../src/entries/index.ts";
import { startCluster, type RedisCluster } from "../support/redis/cluster.ts";
import { lacks } from "../support/redis/kinds.ts";
import { startSentinel } from "../support/redis/sentinel.ts";
import { startRedis, type RedisServer } from "../support/redis/server.ts";
import { doctor, report } from "./support/doctor.ts";
import { useAll } from "./support/use-all.ts";

const skip = lacks("redis");
const kind = "redis";
const appendonly = "always";

/** What lines of the rights are for, where it is not everything. */
const purposes = {
  settings: /^\+(?:info|config)/,
  database: / another database/,
  cluster: / on a cluster$/,
  sentinel: / behind Sentinel$/,
};

/** The rights that the page about Redis names. */
const named = namedRights();

function namedRights(): Readonly<Record<"commands" | keyof typeof purposes, string>> {
  const page = readFileSync(path.join(root, "docs/redis.md"), "utf8");
  const [, block = ""] = /```text\n(\+get .*?)\n```/s.exec(page) ?? [];
  const rightsOf = (isWanted: (line: string) => boolean): string => {
    const lines = block.split("\n").filter(isWanted);
    return lines.flatMap((line) => line.match(/\+[a-z|]+/g) ?? []).join(" ");
  };
  return {
    commands: rightsOf((line) => !Object.values(purposes).some((purpose) => purpose.test(line))),
    settings: rightsOf((line) => purposes.settings.test(line)),
    database: rightsOf((line) => purposes.database.test(line)),
    cluster: rightsOf((line) => purposes.cluster.test(line)),
    sentinel: rightsOf((line) => purposes.sentinel.test(line)),
  };
}

function userLine(name: string, rights: string, where = "~hf:* &*"): string {
  return `user ${name} on >topsecret ${where} ${rights}`;
}

/** A URL with a user in it. */
function as(user: string, url: string): string {
  return url.replace("//", `//${user}:topsecret@`);
}

async function nothingIsMissed(url: string): Promise<void> {
  const { said } = await report(url);
  assert.deepEqual(
    said.findings.filter(({ level }) => level !== "fine"),
    [],
  );
}

/** What doctor says that the user lacks. */
async function missed(url: string): Promise<string | undefined> {
  const { code, said } = await report(url);
  const finding = said.findings.find(({ level }) => level === "wrong");
  assert.equal(code, finding ? 1 : 0);
  return finding?.what;
}

describe("the rights that docs/redis.md names", { skip }, () => {
  const { commands, settings } = named;

  it("are those of all commands that scripts use, and doctor tries each of them", () => {
    const used = new Set(Array.from(script.matchAll(/\bp?call\('([A-Z]+)'/g), ([, name = ""]) => name));
    assert.ok(used.size > 15, [...used].join(" "));
    const tried = new Set(trials("key", "channel").map(([name]) => name));
    for (const name of used) {
      assert.ok(commands.split(" ").includes(`+${name.toLowerCase()}`), `${name} is not named`);
      assert.ok(tried.has(name), `${name} is not tried`);
    }
  });

  it("are enough for everything", async (t) => {
    const server = await startRedis({ kind, appendonly, users: [userLine("app", `${commands} ${settings}`)] });
    t.after(() => server.stop());
    const url = as("app", server.url);
    const [one, two] = [await connect(url), await connect(url)];
    t.after(() => Promise.all([one.close(), two.close()]));
    await useAll(one, two);
    await nothingIsMissed(url);
  });

  it("are enough on a cluster, also while a slot moves, and each of them is missed", async (t) => {
    const whole = `${commands} ${settings} ${named.cluster}`;
    const users = [userLine("app", whole), userLine("poor", `${whole} -asking -cluster|nodes`)];
    const cluster = await startCluster({ kind, appendonly, users });
    t.after(() => cluster.stop());
    const url = as("app", cluster.url);
    const [one, two] = [await connect(url), await connect(url)];
    t.after(() => Promise.all([one.close(), two.close()]));
    await useAll(one, two);
    await loadsWhileItMoves(cluster, one);
    assert.equal(await missed(url), undefined);
    assert.match((await missed(as("poor", cluster.url))) ?? "", /may not: asking, cluster\|nodes$/);
  });

  it("are enough behind sentinels, also after a failover, and each of them is missed", async (t) => {
    const whole = `${commands} ${settings} ${named.sentinel}`;
    const users = [userLine("app", whole), userLine("poor", `${whole} -role`)];
    const group = await startSentinel({ kind, appendonly, users });
    t.after(() => group.stop());
    const sentinels = "?sentinelUsername=default&sentinelPassword=any";
    const url = `${as("app", group.url)}${sentinels}`;
    const [one, two] = [await connect(url), await connect(url)];
    t.after(() => Promise.all([one.close(), two.close()]));
    await useAll(one, two);
    assert.equal(await missed(url), undefined);
    assert.match((await missed(`${as("poor", group.url)}${sentinels}`)) ?? "", /may not: role$/);
    await group.failover();
    await one.lock("orders").run("2", async (lease) => {
      await one.state<{ paid: boolean }>("orders").save("2", { paid: true }, { lease });
    });
    assert.deepEqual(await two.state("orders").load("2"), { paid: true });
  });
});

/** Moves the slot of "1", whose keys are on two nodes meanwhile. */
async function loadsWhileItMoves(cluster: RedisCluster, hf: Holdfast): Promise<void> {
  const orders = hf.state<{ paid: boolean }>("orders");
  const slot = await cluster.slotOf("{1}");
  const present = await cluster.primaryOf(slot);
  const target = cluster.nodes.slice(0, 3).find((node) => node !== present) as RedisServer;
  let steps = 0;
  await cluster.moveSlot(slot, target, async () => {
    steps++;
    for (const key of ["1", "{1}b"]) assert.deepEqual(await orders.load(key), { paid: true });
    if (steps === 1) await orders.save("{1}new", { paid: true });
  });
  assert.ok(steps > 2, `${steps} keys were moved`);
  assert.match(String(await target.command("INFO", "commandstats")), /cmdstat_asking:calls=/);
}

describe("doctor", { skip }, () => {
  it("says what a user lacks, quotes no password, and writes nothing that stays", async (t) => {
    const { commands, settings } = named;
    const users = [
      userLine("whole", `${commands} ${settings}`),
      userLine("quiet", commands, "~hf:* &hf:*"),
      userLine("poor", `${commands} ${settings} -zadd -mset`),
      userLine("away", `${commands} ${settings}`, "~other:* &*"),
    ];
    const server = await startRedis({ kind, appendonly, users });
    t.after(() => server.stop());
    const whole = await report(as("whole", server.url));
    assert.equal(whole.code, 0, JSON.stringify(whole.said.findings));
    assert.equal(whole.said.capabilities.watch, "lossy");
    assert.doesNotMatch(JSON.stringify(whole.said), /topsecret|whole/);

    const quiet = await report(as("quiet", server.url));
    assert.deepEqual([quiet.code, quiet.said.capabilities.watch], [0, "none"]);
    assert.ok(quiet.said.findings.some(({ level, what }) => level === "unknown" && what === "CONFIG GET"));

    const poor = await report(as("poor", server.url));
    assert.equal(poor.code, 1);
    assert.match(poor.said.findings[0]?.what ?? "", /may not: mset, zadd$/);
    assert.equal((await report(as("away", server.url))).code, 1);

    const text = await doctor(server.url.replace("//", "//whole:wrongsecret@"));
    assert.equal(text.code, 2);
    assert.doesNotMatch(text.out + text.err, /wrongsecret/);
    assert.deepEqual(await server.command("KEYS", "*"), []);
  });

  it("tries the notifications of the database that the URL names", async (t) => {
    const users = [userLine("quiet", `${named.commands} ${named.settings} ${named.database}`, "~hf:* &hf:*")];
    const server = await startRedis({ kind, appendonly, users });
    t.after(() => server.stop());
    const { said } = await report(`${as("quiet", server.url)}/3`);
    assert.equal(said.capabilities.watch, "none");
    const denied = JSON.stringify(await server.command("ACL", "LOG"));
    assert.match(denied, /__keyspace@3__:hf:doctor\{/);
  });
});

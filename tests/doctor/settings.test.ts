import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { script } from "../../src/backends/redis/lua/script.ts";
import { trials } from "../../src/backends/redis/settings/rights.ts";
import { checkSettings, examineServers, type SettingsTerms } from "../../src/backends/redis/settings/index.ts";
import type { Router } from "../../src/backends/redis/router.ts";
import { isHoldfastError } from "../../src/base/errors.ts";
import { systemTime as time } from "../../src/base/time.ts";
import type { Capabilities, Examination, Finding } from "../../src/port/index.ts";
import { fakeRouter, type Account } from "./support/fake-server.ts";

// What is said of settings, on servers that only say what they are asked for.

const usual: SettingsTerms = { settings: "refuse", use: "all", notifications: "enable", prefix: "hf", database: 0 };
const asking = (): { time: typeof time; deadline: number } => ({ time, deadline: time.monotonic() + 5_000 });
const check = async (router: Router, terms: Partial<SettingsTerms> = {}) =>
  checkSettings(router, { ...usual, ...terms }, asking());
const examine = async (router: Router, terms: Partial<SettingsTerms> = {}): Promise<Examination> =>
  examineServers(router, { ...usual, ...terms }, ({ promises }) => promises as Capabilities, asking());

/** The warnings of this process that come from settings, while the test runs. */
function warningsOf(t: TestContext): string[] {
  const texts: string[] = [];
  const hear = (warning: Error & { code?: string }): void => {
    if (warning.code === "HOLDFAST_SETTINGS") texts.push(warning.message);
  };
  process.on("warning", hear);
  t.after(() => process.off("warning", hear));
  return texts;
}

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Refused {
  readonly name: string;
  readonly account: Account;
  /** What the error names, and the remedy. */
  readonly says: readonly RegExp[];
  /** Whether `settings: "warn"` opens it. */
  readonly opens: boolean;
}

const refused: readonly Refused[] = [
  ...["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "allkeys-lfu"].map((policy) => ({
    name: `maxmemory-policy ${policy}`,
    account: { config: { "maxmemory-policy": policy } },
    says: [new RegExp(`maxmemory-policy ${policy}`), /set maxmemory-policy noeviction/],
    opens: true,
  })),
  {
    name: "an evicting policy that only INFO tells of",
    account: { config: "forbidden", info: { maxmemory_policy: "allkeys-lru" } },
    says: [/maxmemory-policy allkeys-lru/],
    opens: true,
  },
  {
    name: "no persistence",
    account: { config: { save: "", appendonly: "no" }, info: { aof_enabled: "0" } },
    says: [/no persistence/, /set appendonly yes/],
    opens: true,
  },
  {
    name: "two active primaries",
    account: { info: { role: "active-replica", mvcc_depth: "0" } },
    says: [/active-replica/],
    opens: true,
  },
  { name: "a replica", account: { info: { role: "slave" } }, says: [/is a replica/, /primary/], opens: false },
  {
    name: "a replica that forbids INFO",
    account: { info: "forbidden" },
    says: [/is a replica/],
    opens: false,
  },
  {
    name: "an old server",
    account: { info: { redis_version: "6.0.16" } },
    says: [/Redis 6\.0\.16/, /6\.2/],
    opens: false,
  },
  {
    name: "a node of a cluster, without the cluster",
    account: { info: { cluster_enabled: "1" } },
    says: [/redis\+cluster:/],
    opens: false,
  },
];

describe("a backend does not open on", () => {
  for (const { name, account, says, opens } of refused) {
    it(name, async (t) => {
      const warnings = warningsOf(t);
      await assert.rejects(check(fakeRouter("single", account)), (error) => {
        assert.ok(isHoldfastError(error, "UNSUPPORTED"), String(error));
        for (const part of [...says, /10\.0\.0\.1:6379/]) assert.match(error.message, part);
        assert.equal(/settings: "warn"/.test(error.message), opens);
        return true;
      });
      const router = fakeRouter("single", account);
      if (!opens) {
        await assert.rejects(check(router, { settings: "warn" }), { code: "UNSUPPORTED" });
        return;
      }
      await check(router, { settings: "warn" });
      await check(router, { settings: "warn" });
      await turn();
      assert.equal(warnings.length, 1, "one warning, however often it is looked at");
      assert.match(warnings[0] ?? "", says[0] as RegExp);
    });
  }

  it("a server that does not answer in time", async () => {
    const late = { time, deadline: time.monotonic() + 20 };
    await assert.rejects(checkSettings(fakeRouter("single", { silent: true }), usual, late), { code: "UNAVAILABLE" });
  });

  it("one bad server of a cluster, which it names", async () => {
    const bad: Account = { info: { cluster_enabled: "1" }, config: { "maxmemory-policy": "allkeys-lru" } };
    const good: Account = { info: { cluster_enabled: "1" } };
    await assert.rejects(
      check(fakeRouter("cluster", good, bad, good)),
      /^UnsupportedError: 10\.0\.0\.2:6379: maxmemory-policy/,
    );
  });

  it("a replica behind Sentinel for now only: the failover will end", async () => {
    await assert.rejects(check(fakeRouter("sentinel", { info: { role: "slave" } })), { code: "UNAVAILABLE" });
  });
});

describe("a backend opens", () => {
  it("on settings that are right, and declares what they promise", async () => {
    const traits = await check(fakeRouter("single", {}));
    assert.deepEqual(traits.promises, { exclusion: "primary", durability: "disk", stamps: "atomic" });
    assert.deepEqual([traits.flavour, traits.version, traits.configurable], ["Redis", "7.2.4", true]);
  });

  it("for caches alone on a server that evicts and keeps nothing, as advisory", async () => {
    const account: Account = {
      config: { "maxmemory-policy": "allkeys-lru", appendonly: "no" },
      info: { aof_enabled: "0" },
    };
    const { promises } = await check(fakeRouter("single", account), { use: "cache" });
    assert.deepEqual(promises, { exclusion: "advisory", durability: "none", stamps: "atomic" });
  });

  it("with a promise as weak as its weakest server's", async () => {
    const { promises } = await check(fakeRouter("cluster", {}, { config: { appendfsync: "everysec" } }));
    assert.equal(promises.durability, "process");
  });

  it("where CONFIG and INFO are forbidden, and promises no more than is known", async () => {
    const account: Account = { info: { maxmemory_policy: undefined, aof_enabled: undefined }, config: "forbidden" };
    const traits = await check(fakeRouter("single", account));
    assert.deepEqual(traits.promises, { exclusion: "primary", durability: "none", stamps: "atomic" });
    assert.equal(traits.configurable, false);
  });

  const durabilities: readonly (readonly [Readonly<Record<string, string>>, Capabilities["durability"]])[] = [
    [{ appendfsync: "always" }, "disk"],
    [{ appendfsync: "always", "no-appendfsync-on-rewrite": "yes" }, "process"],
    [{ appendfsync: "everysec" }, "process"],
    [{ appendfsync: "no" }, "process"],
    [{ appendonly: "no", save: "3600 1 60 1000" }, "none"],
  ];
  for (const [config, durability] of durabilities) {
    it(`with durability ${durability} on ${JSON.stringify(config)}`, async () => {
      const info = config["appendonly"] === "no" ? { aof_enabled: "0" } : {};
      const { promises } = await check(fakeRouter("single", { config, info }));
      assert.equal(promises.durability, durability);
    });
  }

  const flavours: readonly (readonly [Readonly<Record<string, string | undefined>>, string])[] = [
    [{ server_name: "valkey", valkey_version: "9.1.0" }, "Valkey 9.1.0"],
    [{ dragonfly_version: "df-v1.27.1", redis_version: "7.4.0" }, "Dragonfly 1.27.1"],
    [{ mvcc_depth: "0", redis_version: "6.3.4" }, "KeyDB 6.3.4"],
    [{}, "Redis 7.2.4"],
  ];
  for (const [info, name] of flavours) {
    it(`on ${name}`, async () => {
      const config = { snapshot_cron: "* * * * *" };
      const traits = await check(fakeRouter("single", { info, config }));
      assert.equal(`${traits.flavour} ${traits.version}`, name);
      assert.equal(traits.undeclaredKeys, traits.flavour !== "Dragonfly");
      assert.equal(traits.mute === undefined, traits.flavour !== "Dragonfly");
    });
  }
});

interface Found {
  readonly name: string;
  readonly account: Account;
  readonly level: Finding["level"];
  readonly what: RegExp;
  readonly terms?: Partial<SettingsTerms>;
}

const replica = "ip=10.0.0.9,port=6379,state=online,offset=900,lag=1";
const found: readonly Found[] = [
  {
    name: "memory that is full",
    account: { info: { maxmemory: "1000000" } },
    level: "wrong",
    what: /maxmemory is reached/,
  },
  { name: "memory that is nearly full", account: { info: { maxmemory: "1050000" } }, level: "risk", what: /nearly/ },
  { name: "memory with room", account: { info: { maxmemory: "9000000" } }, level: "fine", what: /^maxmemory$/ },
  {
    name: "only snapshots",
    account: { config: { appendonly: "no", save: "3600 1 300 100" }, info: { aof_enabled: "0" } },
    level: "risk",
    what: /only snapshots/,
  },
  {
    name: "a log that could not be written",
    account: { info: { aof_last_write_status: "err" } },
    level: "wrong",
    what: /append-only/,
  },
  {
    name: "a snapshot that failed",
    account: { config: { save: "60 1" }, info: { rdb_last_bgsave_status: "err" } },
    level: "wrong",
    what: /snapshot failed/,
  },
  {
    name: "replicas that nobody waits for",
    account: { info: { slave0: replica } },
    level: "risk",
    what: /min-replicas-to-write 0/,
  },
  {
    name: "too few replicas",
    account: { config: { "min-replicas-to-write": "2" }, info: { slave0: replica } },
    level: "wrong",
    what: /min-replicas-to-write 2/,
  },
  {
    name: "enough replicas",
    account: { config: { "min-replicas-to-write": "1" }, info: { slave0: replica } },
    level: "fine",
    what: /min-replicas-to-write 1/,
  },
  {
    name: "a replica that lags",
    account: { info: { slave0: replica.replace("lag=1", "lag=60") } },
    level: "risk",
    what: /10\.0\.0\.9:6379 is 60 s behind/,
  },
  {
    name: "connections that are closed when idle",
    account: { config: { timeout: "30" } },
    level: "risk",
    what: /timeout 30/,
  },
  { name: "a clock that is wrong", account: { clockMs: -90_000 }, level: "risk", what: /clock is 90\.0 s behind/ },
  { name: "a clock that is right", account: { clockMs: 400 }, level: "fine", what: /clock/ },
  {
    name: "missing notifications that it relies on",
    account: { config: { "notify-keyspace-events": "K$" } },
    level: "wrong",
    what: /notify-keyspace-events/,
    terms: { notifications: "assume" },
  },
  {
    name: "a Dragonfly, which tells of no changes",
    account: { info: { dragonfly_version: "df-v1.40.1" }, config: { snapshot_cron: "* * * * *" } },
    level: "risk",
    what: /^keyspace notifications$/,
  },
  { name: "what CONFIG does not tell", account: { config: "forbidden" }, level: "unknown", what: /CONFIG GET/ },
  { name: "a right that is missing", account: { forbidden: ["SCAN"] }, level: "wrong", what: /may not: scan/ },
];

describe("doctor finds", () => {
  for (const { name, account, level, what, terms } of found) {
    it(name, async () => {
      const { findings } = await examine(fakeRouter("single", account), terms);
      const finding = findings.find((one) => what.test(one.what));
      assert.ok(finding, JSON.stringify(findings, undefined, 1));
      assert.equal(finding.level, level);
      assert.equal(finding.remedy === "", level === "fine", "there is a remedy for what is not fine");
    });
  }

  it("missing rights by trying every command that the scripts use", () => {
    const used = new Set(Array.from(script.matchAll(/\b(?:call|attempt)\('(\w+)'/g), ([, name]) => name));
    assert.ok(used.size > 10);
    const tried = new Set(trials("key", "channel").map(([name]) => name));
    const untried = [...used].filter((name) => !tried.has(name));
    assert.deepEqual(untried, []);
  });

  it("nothing wrong where nothing is, and says the gravest first", async () => {
    const { findings } = await examine(fakeRouter("single", {}));
    assert.deepEqual(new Set(findings.map(({ level }) => level)), new Set(["fine"]));
    const levels = (
      await examine(fakeRouter("single", { config: { timeout: "1", "maxmemory-policy": "allkeys-lru" } }))
    ).findings.map(({ level }) => level);
    assert.deepEqual([levels[0], levels[1], levels.at(-1)], ["wrong", "risk", "fine"]);
  });

  it("says once what is the same of all servers, and names the others", async () => {
    const { findings } = await examine(fakeRouter("cluster", {}, {}, { config: { appendfsync: "no" } }));
    assert.equal(findings.filter(({ what }) => what.includes("maxmemory-policy")).length, 1);
    assert.equal(
      findings.filter(({ what }) => what.startsWith("10.0.0.3:6379: appendonly yes, appendfsync no")).length,
      1,
    );
  });

  it("says what asynchronous replication leaves open where there are replicas, and only there", async () => {
    const alone = (await examine(fakeRouter("single", {}))).leavesOpen.join("\n");
    const replicated = (await examine(fakeRouter("single", { info: { slave0: replica } }))).leavesOpen.join("\n");
    assert.doesNotMatch(alone, /WAIT|asynchronous/);
    assert.match(replicated, /asynchronous.*grants it again/s);
    assert.match(replicated, /WAIT/);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnavailableError } from "../../src/base/errors.ts";
import { space } from "../../src/base/keys.ts";
import type { Time } from "../../src/base/time.ts";
import { Cache } from "../../src/cache/index.ts";
import { NameFilter } from "../../src/cache/name-filter.ts";
import { SweepBook } from "../../src/cache/sweep-book.ts";
import { readSweep, writeSweep } from "../../src/cache/sweep-record.ts";
import { Instance } from "../../src/client/index.ts";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import type { Backend, Outcome, Query, Session } from "../../src/port/index.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";
import { clocked } from "./support.ts";

const entries = space("cache", "", "values");
const stamps = space("stamp", "", "values");

/** Instances on one Memory whose time stands still, each with what it asked for. */
function stand() {
  const time = virtualTime();
  const server = new MemoryServer({ time });
  const instance = () => {
    const asked: Query[] = [];
    const line: Line = { is: "up" };
    const made = new Instance(watched(memoryBackend({ server }), asked, line));
    return { instance: made, asked, line };
  };
  const behind = new Instance(memoryBackend({ server }));
  const page = async (of: typeof entries) =>
    (await behind.page({ space: of, prefix: "", limit: 1_000 }, behind.ownCall())).records;
  return { time, instance, page, backend: () => memoryBackend({ server }) };
}

/** What becomes of an instance's requests: answered, refused, or never answered. */
interface Line {
  is: "up" | "away" | "dead";
}

/** Notes each page that is asked for. */
function watched(backend: Backend, asked: Query[], line: Line): Backend {
  const forever = new Promise<never>(() => undefined);
  const error = new UnavailableError("the store is away", { backend: backend.name });
  return {
    name: backend.name,
    time: backend.time,
    open: async () => backend.open(),
    close: async () => backend.close(),
    session(): Session {
      const session = backend.session();
      return {
        id: session.id,
        async execute(groups, call) {
          if (line.is === "dead") return forever;
          if (line.is === "up") return session.execute(groups, call);
          return groups.map((_, i): Outcome => {
            call.claim(i);
            return { ok: false, why: "failed", sent: false, error };
          });
        },
        page: async (query, call) => {
          asked.push(query);
          if (line.is === "away") throw error;
          return line.is === "dead" ? forever : session.page(query, call);
        },
        close: async () => session.close(),
      };
    },
  };
}

async function fill(cache: Cache<string>, count: number): Promise<void> {
  await cache.setMany(Array.from({ length: count }, (_, i) => [`key ${i}`, "value"] as const));
}

describe("a sweep", () => {
  it("is made by one of the instances that ask for it, in bounded steps", async () => {
    const { time, instance, page } = stand();
    const all = [instance(), instance(), instance()];
    const caches = all.map((one) => new Cache<string>(one.instance, "values", { ttl: "never" }));
    await fill(caches[0] as Cache<string>, 900);
    for (const one of all) one.asked.length = 0; // what the bound in the process has learned
    await Promise.all(caches.map((cache) => cache.clear()));
    for (let i = 0; i < 200 && (await page(entries)).length > 0; i++) await time.advance("100ms");
    assert.equal((await page(entries)).length, 0);
    const sweepers = all.filter(({ asked }) =>
      asked.some((query) => query.space.id === entries.id && query.limit < 1_000),
    );
    assert.equal(sweepers.length, 1);
    for (const { asked } of sweepers) for (const { limit } of asked) assert.ok(limit <= 256, `a step of ${limit}`);
  });

  it("is made of what is asked for at whatever moment of the end of the one before", async () => {
    for (let ticks = 0; ticks < 80; ticks++) {
      const { time, page, backend } = stand();
      let onTimer: (() => void) | undefined;
      const after: Time["after"] = (ms, fn) => time.after(ms, () => (fn(), onTimer?.()));
      const cache = new Cache<string>(new Instance(clocked(backend(), { after })), "values", { ttl: "never" });
      await fill(cache, 1);
      await cache.clear();
      for (let i = 0; i < 100 && (await page(entries)).length > 0; i++) await time.advance("100ms");
      await fill(cache, 1);
      // The timer after which the sweep finds that there is nothing more to do.
      const cleared = new Promise<void>((resolve) => {
        onTimer = () => {
          onTimer = undefined;
          void (async () => {
            for (let i = 0; i < ticks; i++) await Promise.resolve();
            await cache.clear();
            resolve();
          })();
        };
      });
      await time.advance("1s");
      await cleared;
      await time.advance("30s");
      assert.equal((await page(entries)).length, 0, `after ${ticks} ticks`);
    }
  });

  it("is left to others by an instance that closes after a clear, at whatever moment of its own look", async () => {
    for (let ticks = 0; ticks < 40; ticks++) {
      const { time, instance, page } = stand();
      const [{ instance: first }, { instance: second }] = [instance(), instance()];
      const cache = new Cache<string>(first, "values", { ttl: "never" });
      // The first value of all makes it look whether a sweep is due: the clear comes in the course of that.
      await cache.set("key", "value");
      await cache.clear();
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      await first.close(0);
      const other = new Cache<string>(second, "values", { ttl: "never" });
      await other.set("fresh", "value");
      for (let i = 0; i < 50 && (await page(entries)).length > 1; i++) await time.advance("100ms");
      assert.equal((await page(entries)).length, 1, `after ${ticks} ticks`);
    }
  });

  it("is gone on with when its instance has died, where that had come to", async () => {
    const { time, instance, page } = stand();
    const [first, second] = [instance(), instance()];
    const cache = new Cache<string>(first.instance, "values", { ttl: "never" });
    const other = new Cache<string>(second.instance, "values", { ttl: "never" });
    await fill(cache, 900);
    await other.set("fresh", "value");
    await cache.clear();
    await other.set("fresh", "value");
    for (let i = 0; i < 100 && (await page(entries)).length > 800; i++) await time.advance("5ms");
    first.line.is = "dead";
    const left = (await page(entries)).length;
    assert.ok(left > 100, `${left} are left`);
    // The other one looks when it writes, and again by itself when the first has been silent for long.
    await time.advance("31s");
    await other.set("fresh", "value");
    assert.equal((await page(entries)).length, left);
    for (let i = 0; i < 1_000 && (await page(entries)).length > 1; i++) await time.advance("100ms");
    assert.equal((await page(entries)).length, 1);
    assert.equal(await other.get("fresh"), "value");
  });

  it("is gone on with a minute after its instance fell silent, though a look comes a little before that", async () => {
    const { time, instance } = stand();
    const [dead, other] = [new SweepBook(instance().instance, stamps), new SweepBook(instance().instance, stamps)];
    await dead.mark();
    const claim = await dead.claim();
    assert.ok(claim && "due" in claim);
    assert.deepEqual(await other.claim(), { lookAfterMs: 60_000 });
    await time.advance(59_990); // a timer may come before its time
    assert.deepEqual(await other.claim(), { lookAfterMs: 10 });
    await time.advance(10);
    assert.deepEqual(await other.claim(), claim);
  });

  it("is made although the store was away when it was due, and in its middle", async () => {
    const { time, instance, page } = stand();
    const { instance: one, line } = instance();
    const failed: string[] = [];
    const cache = new Cache<string>(one, "values", { ttl: "never" });
    cache.on("error", ({ operation }) => failed.push(operation));
    await fill(cache, 600);
    await time.advance("1s");
    await cache.clear();
    line.is = "away"; // before the mark is sent
    await time.advance("1s");
    assert.deepEqual(failed, ["sweep"]);
    assert.equal((await page(entries)).length, 600);
    line.is = "up";
    for (let i = 0; i < 1_000 && (await page(entries)).length > 500; i++) await time.advance("10ms");
    line.is = "away";
    await time.advance("1s");
    assert.deepEqual(failed, ["sweep", "sweep"]);
    const left = (await page(entries)).length;
    assert.ok(left > 0 && left <= 500, `${left} are left`);
    line.is = "up";
    for (let i = 0; i < 1_000 && (await page(entries)).length > 0; i++) await time.advance("10ms");
    assert.equal((await page(entries)).length, 0);
  });

  it("comes once a day as well, for what was written late", async () => {
    const { time, instance, page } = stand();
    const one = instance();
    const cache = new Cache<string>(one.instance, "values", { ttl: "never" });
    await cache.set("k", "value");
    await time.advance("1s");
    // What a load would leave that had read the version before a clear, and whose write came after the sweep.
    const late = { space: entries, key: "late" };
    const old = { key: { space: stamps, key: "c" }, id: "old" };
    await one.instance.execute(
      { ops: [{ op: "set", key: late, id: "late", value: "late", stamps: [old] }] },
      one.instance.ownCall(),
    );
    await time.advance("23h");
    await cache.set("k", "value");
    await time.advance("1m");
    assert.equal((await page(entries)).length, 2);
    await time.advance("2h");
    await cache.set("k", "value");
    await time.advance("1m");
    assert.deepEqual(
      (await page(entries)).map(({ key }) => key),
      ["k"],
    );
  });

  it("is not made for entries that end by themselves", async () => {
    const { time, instance, page } = stand();
    const one = instance();
    const cache = new Cache<string>(one.instance, "values", { ttl: "1h" });
    await fill(cache, 10);
    await cache.clear();
    await time.advance("30m");
    assert.deepEqual(
      (await page(stamps)).map(({ key }) => key),
      ["c", "e"],
    );
    await time.advance("30m");
    assert.equal((await page(entries)).length, 0);
    await time.advance("1d");
    assert.equal((await page(stamps)).length, 0, "nor do stamps stay that nothing needs");
  });
});

describe("the record of a sweep", () => {
  it("comes back as it was, and what is none is unknown", () => {
    for (const sweep of [
      { state: "done", at: 5 },
      { state: "running", by: "me", due: "d", cursor: "c" },
      { state: "running", by: "", due: undefined, cursor: undefined },
    ] as const) {
      assert.deepEqual(readSweep(writeSweep(sweep)), sweep);
    }
    for (const text of [
      "",
      "{",
      "null",
      "[]",
      '{"state":"done"}',
      '{"state":"running","by":1}',
      undefined,
      new Uint8Array(1),
    ]) {
      assert.equal(readSweep(text), undefined);
    }
  });
});

describe("a filter of names", () => {
  it("knows every name that was added, and hardly any other", () => {
    const filter = new NameFilter();
    assert.equal(filter.has("tof 1"), false);
    for (let i = 0; i < 100_000; i++) filter.add(`tof ${i}`);
    let taken = 0;
    for (let i = 0; i < 100_000; i++) {
      assert.ok(filter.has(`tof ${i}`));
      if (filter.has(`tof ${100_000 + i}`)) taken++;
    }
    assert.ok(taken < 100, `${taken} of 100,000`);
  });
});

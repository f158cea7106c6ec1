import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { each, startEach, type EachEvent, type Handler } from "../../src/entries/each.ts";
import { accountsOf, away, benchFor, book, makeLines, serial, sorted, type Account, type Line } from "./support.ts";

// A store that is away, and one that loses replies: what it did then is for the next run of an item to find out.

const lines = makeLines(600, 30);

const books: Handler<Line> = async (line, ctx) => {
  const accounts = ctx.state<Account>("accounts");
  await accounts.save(line.account, book(await accounts.load(line.account), line));
  await sleep(0);
};

const lost = { ok: false, why: "failed", sent: true, error: new Error("lost") } as const;

test("a store that is away is waited for, and nothing counts as the item's failure", async (t) => {
  let isAway = false;
  const { hf, input } = await benchFor(t, lines, {
    name: "goes away",
    group: async (group, next) => (isAway ? away : next(group)),
  });
  const events: EachEvent["type"][] = [];
  let handled = 0;
  const run = startEach<Line>(
    input,
    async (line, ctx) => {
      assert.equal(ctx.attempt, 1);
      if (++handled === 200) {
        isAway = true;
        setTimeout(() => (isAway = false), 400);
      }
      await books(line, ctx);
    },
    { store: hf, key: "account", leaseTtl: "5s", retries: 0 },
  );
  run.on(({ type }) => void events.push(type));
  const summary = await run.result;
  assert.deepEqual([summary.outcome, summary.done, summary.dead], ["done", 600, 0]);
  assert.ok(events.includes("away") && events.includes("back"));
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("a store that stays away ends the run; the next one goes on", async (t) => {
  let isAway = false;
  const { hf, input } = await benchFor(t, lines, {
    name: "goes away",
    group: async (group, next) => (isAway ? away : next(group)),
  });
  const options = { store: hf, job: "job", key: "account", storeTimeout: "300ms", leaseTtl: "1s" } as const;
  let handled = 0;
  const failing: Handler<Line> = async (line, ctx) => {
    if (++handled === 300) isAway = true;
    await books(line, ctx);
  };
  await assert.rejects(each(input, failing, options), { code: "UNAVAILABLE", message: /was away for 0.3 s/ });
  isAway = false;
  const summary = await each(input, books, options);
  assert.deepEqual([summary.outcome, summary.done], ["done", 600]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("an interrupt while the store is away: what was committed stays, and the next run goes on", async (t) => {
  let isAway = false;
  let stopped = false;
  let left = 3; // calls that fail after the interrupt
  const { hf, input } = await benchFor(t, lines, {
    name: "goes away",
    async group(group, next) {
      if (stopped && left-- <= 0) isAway = false;
      return isAway ? away : next(group);
    },
  });
  const options = { store: hf, job: "job", key: "account", leaseTtl: "5s", retries: 0 } as const;
  let handled = 0;
  const run = startEach<Line>(
    input,
    async (line, ctx) => {
      if (++handled === 200) isAway = true;
      await books(line, ctx);
    },
    options,
  );
  run.on(({ type }) => {
    if (type !== "away") return;
    stopped = true;
    run.stop();
  });
  const first = await run.result;
  assert.ok(stopped);
  assert.deepEqual([first.outcome, first.dead], ["interrupted", 0]);
  const second = await each(input, books, options);
  assert.deepEqual([second.outcome, second.done], ["done", 600]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("an interrupt while the store is away: if it stays away, that is what the run ends with", async (t) => {
  let isAway = false;
  const { hf, input } = await benchFor(t, lines, {
    name: "goes away",
    group: async (group, next) => (isAway ? away : next(group)),
  });
  const options = { store: hf, job: "job", key: "account", storeTimeout: "300ms", leaseTtl: "1s" } as const;
  let handled = 0;
  const run = startEach<Line>(
    input,
    async (line, ctx) => {
      if (++handled === 200) isAway = true;
      await books(line, ctx);
    },
    options,
  );
  run.on(({ type }) => void (type === "away" && run.stop()));
  await assert.rejects(run.result, { code: "UNAVAILABLE", message: /was away for 0.3 s/ });
  isAway = false;
  assert.equal((await each(input, books, options)).outcome, "done");
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

for (const [name, applied] of [
  ["before", false],
  ["after", true],
] as const) {
  test(`a reply that is lost ${name} the write took effect loses and doubles nothing`, async (t) => {
    let writes = 0;
    const { hf, input } = await benchFor(t, lines, {
      name: "loses replies",
      async group(group, next) {
        const isCommit = group.guards !== undefined;
        // Twice in a row, since a write whose reply was lost is sent once more.
        if (!isCommit || ++writes % 7 < 5) return next(group);
        if (applied) await next(group);
        return lost;
      },
    });
    const summary = await each(input, books, { store: hf, key: "account", leaseTtl: "2s", concurrency: 4 });
    assert.ok(writes > 20, `${writes} commits`);
    assert.deepEqual([summary.outcome, summary.done, summary.dead], ["done", 600, 0]);
    assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
  });
}

test("an item that waits to be tried again keeps no timer once its partition is given up", async (t) => {
  let writes = 0;
  const { hf, input } = await benchFor(t, lines, {
    name: "loses replies",
    // Also sent once more, as a write is whose reply was lost.
    group: async (group, next) => (waits && group.guards && writes++ < 2 ? lost : next(group)),
  });
  let waits = false;
  const timers = (): number => process.getActiveResourcesInfo().filter((what) => what === "Timeout").length;
  const before = timers();
  const handler: Handler<Line> = (line, ctx) => {
    if (line.id > 1 || waits) return books(line, ctx);
    waits = true;
    throw new Error("once");
  };
  const summary = await each(input, handler, { store: hf, key: "account", partitions: 1, retries: 1, backoff: "30s" });
  assert.deepEqual([summary.outcome, summary.done], ["done", lines.length]);
  assert.ok(writes >= 2);
  assert.equal(timers(), before);
});

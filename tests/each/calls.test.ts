import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inspect } from "node:util";
import type { ItemState } from "../../src/entries/each.ts";
import type { Fault } from "../../src/entries/testing.ts";
import { accountsOf, away, benchFor, book, makeLines, serial, sorted, type Account } from "./support.ts";

// Calls on ctx.state: what they leave of a ttl, and what becomes of those that fail or that nobody waits for.

/** Rejections that nobody looked at. The test fails with them in any case; this says where. */
function unhandledFor(t: TestContext): unknown[] {
  const found: unknown[] = [];
  const note = (reason: unknown): void => void found.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  return found;
}

/** Resolves when a promise has settled, without being one who looks at it; a rejection of it would be told by then. */
async function settled(promise: Promise<unknown>): Promise<void> {
  while (inspect(promise).includes("<pending>")) await turn();
  await turn();
}

/** The store does not answer the first reads of `accounts`. */
function silentReads(times: number): Fault & { left: number } {
  return {
    name: "does not answer reads",
    left: times,
    async group(group, next) {
      const reads = group.ops.some((op) => op.op === "get" && op.key.space.name === "accounts");
      if (!reads || this.left === 0) return next(group);
      this.left--;
      return away;
    },
  };
}

for (const [name, before, first, lives] of [
  ["a save with a ttl", undefined, { ttl: "1h" }, true],
  ["a save without a ttl", "1h", undefined, false],
] as const) {
  test(`an update keeps what ${name} said, in one handler and in a later item of the batch`, async (t) => {
    const { hf, run } = await benchFor(t, makeLines(2, 1));
    const numbers = hf.state<number>("numbers");
    for (const key of ["one", "two"]) await numbers.save(key, 0, before && { ttl: before });
    await run(async (line, ctx) => {
      const own = ctx.state<number>("numbers");
      if (line.id === 1) {
        await own.save("one", 1, first);
        await own.update("one", (n) => n + 1);
        await own.save("two", 1, first);
      } else await own.update("two", (n) => n + 1);
    });
    for (const key of ["one", "two"]) {
      const entry = await numbers.loadEntry(key);
      assert.deepEqual([entry?.value, entry?.expiresAt !== undefined], [2, lives], key);
    }
  });
}

test("changes of a record by calls at the same time are all made", async (t) => {
  const { hf, run } = await benchFor(t, makeLines(2, 1));
  await run(async (_, ctx) => {
    const numbers = ctx.state<number>("numbers");
    const more = (n = 0): number => n + 1;
    await Promise.all([numbers.upsert("n", more), numbers.upsert("n", more), numbers.upsert("n", more)]);
  });
  assert.equal(await hf.state("numbers").load("n"), 6);
});

for (const name of ["load", "loadMany", "update", "upsert", "delete"]) {
  test(`a ${name} that fails before it is awaited ends no process, and the item runs again`, async (t) => {
    const unhandled = unhandledFor(t);
    const fault = silentReads(Infinity);
    const lines = makeLines(5, 1);
    const { hf, run } = await benchFor(t, lines, fault);
    const summary = await run(async (line, ctx) => {
      const accounts = ctx.state<Account>("accounts");
      if (fault.left > 0) {
        const call = callOf(name, accounts, line.account);
        await settled(call);
        fault.left = 0;
        await call;
      }
      await accounts.upsert(line.account, (account) => book(account, line));
    });
    assert.deepEqual(unhandled, []);
    assert.deepEqual([summary.outcome, summary.done, summary.dead], ["done", 5, 0]);
    assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
  });
}

/** As a handler makes it: the very promise that the call gives. */
function callOf(name: string, state: ItemState<Account>, key: string): Promise<unknown> {
  if (name === "load") return state.load(key);
  if (name === "loadMany") return state.loadMany([key]);
  if (name === "delete") return state.delete(key);
  const never = (): never => assert.fail("it was not read");
  return name === "update" ? state.update(key, never) : state.upsert(key, never);
}

for (const known of [false, true]) {
  test(`a function that throws makes the item fail, also where the handler catches it; ${known ? "a known" : "another"} record`, async (t) => {
    const unhandled = unhandledFor(t);
    const { hf, run } = await benchFor(t, makeLines(2, 1));
    await hf.state("things").save("thing", 1);
    const summary = await run(
      async (line, ctx) => {
        const things = ctx.state<number>("things");
        if (known) await things.load("thing");
        const failing = (): never => assert.fail("not like this");
        const call = line.id === 1 ? things.update("thing", failing) : things.upsert("thing", failing);
        await settled(call);
        await call.catch(() => undefined);
      },
      { onDead: "continue" },
    );
    assert.deepEqual(unhandled, []);
    assert.deepEqual([summary.outcome, summary.done, summary.dead], ["dead", 0, 2]);
  });
}

test("a call that the handler does not wait for is the item's all the same", async (t) => {
  const lines = makeLines(60, 12);
  const { hf, run } = await benchFor(t, lines);
  const summary = await run((line, ctx) => {
    void ctx.state<Account>("accounts").upsert(line.account, (account) => book(account, line));
  });
  assert.deepEqual([summary.outcome, summary.done], ["done", 60]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines)));
});

test("such a call that fails makes the item run again, or fail", async (t) => {
  const unhandled = unhandledFor(t);
  const fault = silentReads(20);
  const lines = makeLines(60, 12);
  const { hf, run } = await benchFor(t, lines, fault);
  const summary = await run(
    async (line, ctx) => {
      const accounts = ctx.state<Account>("accounts");
      void accounts.upsert(line.account, (account) => (line.id % 10 === 0 ? assert.fail("no") : book(account, line)));
    },
    { onDead: "continue" },
  );
  assert.equal(fault.left, 0);
  assert.deepEqual(unhandled, []);
  assert.deepEqual([summary.outcome, summary.done, summary.dead], ["dead", 54, 6]);
  assert.deepEqual(sorted(await accountsOf(hf)), sorted(serial(lines.filter(({ id }) => id % 10 !== 0))));
});

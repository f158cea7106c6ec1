import assert from "node:assert/strict";
import { it } from "node:test";
import { space, type Key } from "../../src/base/keys.ts";
import { Turns, type Turn } from "../../src/state/turns.ts";
import { virtualTime } from "../../src/testing/virtual-time.ts";
import { settled } from "./support.ts";

const key: Key = { space: space("state", "", "turns"), key: "k" };
const other: Key = { ...key, key: "l" };

function stand() {
  const time = virtualTime();
  const turns = new Turns(time);
  const began: string[] = [];
  const take = (who: string, ms = 60_000, signal?: AbortSignal) => {
    const turn = turns.take(key, { signal, deadline: time.monotonic() + ms });
    if (!(turn instanceof Promise)) began.push(who);
    return Promise.resolve(turn).then((mine) => {
      if (turn instanceof Promise) began.push(who);
      return mine;
    });
  };
  return { time, turns, began, take };
}

void it("turns on a key come one after the other, in the order they were asked for; other keys do not wait", async () => {
  const { turns, began, take, time } = stand();
  const all = ["a", "b", "c", "d"].map((who) => take(who));
  const elsewhere = turns.take(other, { signal: undefined, deadline: time.monotonic() + 1 });
  assert.ok(!(elsewhere instanceof Promise));
  for (const [i, waiting] of all.entries()) {
    await settled();
    assert.deepEqual(began, ["a", "b", "c", "d"].slice(0, i + 1));
    const turn = await waiting;
    turn.end();
    turn.end();
  }
  assert.ok(!(turns.take(key, { signal: undefined, deadline: 1 }) instanceof Promise), "nobody waits any more");
});

void it("those who gave up are passed over", async () => {
  const { began, take, time } = stand();
  const abort = new AbortController();
  const head = await take("head");
  const aborted = assert.rejects(take("aborted", 60_000, abort.signal), { name: "AbortError" });
  const late = assert.rejects(take("late", 100), { code: "UNAVAILABLE", key: "k" });
  const last = take("last");
  abort.abort();
  await time.advance(200);
  await Promise.all([aborted, late]);
  head.end();
  (await last).end();
  assert.deepEqual(began, ["head", "last"]);
  await assert.rejects(
    async () => {
      const held = await take("again");
      try {
        await take("never", 60_000, abort.signal);
      } finally {
        held.end();
      }
    },
    { name: "AbortError" },
  );
});

void it("a turn that lasts too long lets the next one begin, and its end takes nobody's turn away", async () => {
  const { began, take, time } = stand();
  const slow: Turn = await take("slow");
  const next = take("next");
  const last = take("last");
  await time.advance(999);
  assert.deepEqual(began, ["slow"]);
  await time.advance(1);
  assert.deepEqual(began, ["slow", "next"]);
  slow.end();
  await settled();
  assert.deepEqual(began, ["slow", "next"]);
  (await next).end();
  await settled();
  assert.deepEqual(began, ["slow", "next", "last"]);
  (await last).end();
});

void it("one that gives up in the moment when its turn begins does not take it along", async () => {
  const { turns, take } = stand();
  const abort = new AbortController();
  const head = await take("head");
  const aborted = assert.rejects(take("aborted", 60_000, abort.signal), { name: "AbortError" });
  const last = take("last");
  await settled();
  abort.abort();
  head.end();
  await aborted;
  (await last).end();
  assert.ok(!(turns.take(key, { signal: undefined, deadline: 1_000 }) instanceof Promise), "the key is free");
});

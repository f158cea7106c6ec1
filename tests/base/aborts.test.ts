import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { joinSignals, onAbort, orAborted } from "../../src/base/aborts.ts";

void test("a signal tells each that it may end once, and none that was taken back meanwhile", () => {
  const { signal, abort } = abortable();
  const told: string[] = [];
  const ends: (() => void)[] = [];
  const first = (): void => {
    told.push("first");
    ends[0]?.();
    ends[1]?.();
  };
  ends.push(onAbort(signal, first));
  ends.push(onAbort(signal, () => told.push("second")));
  ends.push(onAbort(signal, () => told.push("third")));
  abort();
  assert.deepEqual(told, ["first", "third"]);
  for (const end of ends) end();
});

void test("a signal has one listener while there is something that it may end, and none after", () => {
  const { signal, listeners, abort } = abortable();
  for (let round = 0; round < 2; round++) {
    const ends = Array.from({ length: 100 }, () => onAbort(signal, () => undefined));
    assert.equal(listeners(), 1);
    for (const end of ends) end();
    assert.equal(listeners(), 0);
  }
  let told = 0;
  for (let i = 0; i < 100; i++) onAbort(signal, () => told++);
  abort();
  assert.deepEqual([told, listeners()], [100, 0]);
});

void test("a joined signal aborts with the first of its two, and leaves no listener behind", () => {
  for (const which of [0, 1]) {
    const both = [abortable(), abortable()] as const;
    const joined = joinSignals(both[0].signal, both[1].signal);
    assert.equal(joined.signal.aborted, false);
    both[which]?.abort("why");
    assert.equal(joined.signal.reason, "why");
    assert.deepEqual([both[0].listeners(), both[1].listeners()], [0, 0]);
  }
});

void test("a joined signal of one that has aborted has aborted, and one that was ended follows no longer", () => {
  const over = abortable();
  over.abort("before");
  const lives = abortable();
  assert.equal(joinSignals(lives.signal, over.signal).signal.reason, "before");
  assert.equal(joinSignals(over.signal, lives.signal).signal.reason, "before");
  assert.equal(lives.listeners(), 0);

  const other = abortable();
  const joined = joinSignals(lives.signal, other.signal);
  joined.end();
  assert.deepEqual([lives.listeners(), other.listeners()], [0, 0]);
  lives.abort();
  assert.equal(joined.signal.aborted, false);
});

function abortable() {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: (reason?: unknown) => controller.abort(reason),
    listeners: () => getEventListeners(controller.signal, "abort").length,
  };
}

void test("a promise that a signal may end keeps its outcome, ends with the reason, and leaves no listener behind", async () => {
  const { signal, abort, listeners } = abortable();
  const never = orAborted(new Promise<never>(() => undefined), signal);
  assert.equal(await orAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(orAborted(Promise.reject(new Error("its own")), signal), /its own/);
  assert.equal(listeners(), 1);
  abort(new Error("enough"));
  await assert.rejects(never, /enough/);
  await assert.rejects(orAborted(Promise.resolve(1), signal), /enough/);
  assert.equal(listeners(), 0);
});

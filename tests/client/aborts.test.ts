import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { Aborts, type Abortable } from "../../src/client/aborts.ts";

void test("a signal tells each that it may end once, and none that was taken back meanwhile", () => {
  const aborts = new Aborts();
  const { signal, abort } = abortable();
  const told: string[] = [];
  const second: Abortable = { signal, abort: () => void told.push("second") };
  const first: Abortable = {
    signal,
    abort: () => {
      told.push("first");
      aborts.delete(first);
      aborts.delete(second);
    },
  };
  const third: Abortable = { signal, abort: () => void told.push("third") };
  for (const item of [first, second, third]) aborts.add(item);
  abort();
  assert.deepEqual(told, ["first", "third"]);
});

void test("a signal has one listener while there is something that it may end, and none after", () => {
  const aborts = new Aborts();
  const { signal, listeners } = abortable();
  const items = Array.from({ length: 100 }, (): Abortable => ({ signal, abort: () => undefined }));
  for (let round = 0; round < 2; round++) {
    for (const item of items) aborts.add(item);
    assert.equal(listeners(), 1);
    for (const item of items) aborts.delete(item);
    assert.equal(listeners(), 0);
  }
});

function abortable() {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    listeners: () => getEventListeners(controller.signal, "abort").length,
  };
}

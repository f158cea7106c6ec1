import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCounters } from "./support/kills-check.ts";
import type { Logged } from "./support/kills-log.ts";

function increment(value: number, begin: number, end: number): Logged {
  return { did: "increment", counter: "a", value, begin: BigInt(begin), end: BigInt(end) };
}

function load(value: number, begin: number, end: number): Logged {
  return { did: "load", counter: "a", value, begin: BigInt(begin), end: BigInt(end) };
}

const found = (entries: readonly Logged[], final: number): string[] =>
  checkCounters(entries, new Map([["a", final]])).toSorted();

test("increments that overlap, and those that a killed process was never told of, are fine", () => {
  assert.deepEqual(found([increment(2, 0, 9), increment(1, 1, 8), load(1, 2, 10), increment(4, 11, 12)], 5), []);
});

test("an increment whose number was given before is found", () => {
  assert.deepEqual(found([increment(1, 0, 9), increment(1, 1, 10)], 2), [
    "a: 1 was given twice: an acknowledged increment is lost",
  ]);
});

test("an increment that is gone at the end is found", () => {
  assert.deepEqual(found([increment(1, 0, 1), increment(2, 2, 3)], 1), ["a: 2 was acknowledged, at the end it is 1"]);
});

test("a call that does not see what was acknowledged before it began is found", () => {
  assert.deepEqual(found([increment(3, 0, 1), load(2, 2, 3), increment(3, 4, 5)], 9), [
    "a: 3 was given twice: an acknowledged increment is lost",
    "a: increment saw 2 after 3 was acknowledged",
    "a: load saw 2 after 3 was acknowledged",
  ]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDeadlines, checkGuardedWrites, checkHistory, checkHolds, checkRegisters } from "./support/checks.ts";
import type { GuardedWrite, Hold, RegisterAction, RegisterCall, RegisterOutcome } from "./support/history.ts";

function call(start: number, end: number | undefined, action: RegisterAction, outcome: RegisterOutcome): RegisterCall {
  return { key: "k", start: BigInt(start), end: end === undefined ? undefined : BigInt(end), action, outcome };
}
const ok = { is: "ok" } as const;
const found = (id: string | null) => ({ is: "ok", found: id }) as const;
const save = (id: string) => ({ do: "save", id }) as const;
const load = { do: "load" } as const;

void test("a history in which every outcome has its place is linearizable", () => {
  const calls = [
    call(0, 10, save("a"), ok),
    call(5, 8, load, found(null)),
    call(6, 20, save("b"), ok),
    call(12, 14, load, found("a")),
    call(15, 22, { do: "update", id: "c" }, found("b")),
    call(30, 31, { do: "replace", id: "d", expected: "b" }, { is: "conflict" }),
    call(30, 39, { do: "update", id: "g" }, { is: "conflict" }),
    call(32, undefined, save("e"), { is: "unknown" }),
    call(40, 41, load, found("c")),
    call(42, 43, load, found("e")),
    call(50, 60, { do: "delete" }, ok),
    call(61, 62, { do: "create", id: "f" }, ok),
  ];
  assert.deepEqual(checkRegisters(calls, new Map([["k", "f"]])), []);
});

void test("a stale read, a lost write, a lost update, two creators and a value from nowhere are found", () => {
  const wrong: Record<string, [RegisterCall[], string | null]> = {
    "stale read": [[call(0, 1, save("a"), ok), call(2, 3, save("b"), ok), call(4, 5, load, found("a"))], "b"],
    "lost write": [[call(0, 1, save("a"), ok), call(2, 3, save("b"), ok)], "a"],
    "lost update": [
      [
        call(0, 1, save("a"), ok),
        call(2, 5, { do: "update", id: "b" }, found("a")),
        call(3, 6, { do: "update", id: "c" }, found("a")),
      ],
      "c",
    ],
    "two creators": [[call(0, 5, { do: "create", id: "a" }, ok), call(1, 6, { do: "create", id: "b" }, ok)], "b"],
    "from nowhere": [[call(0, 1, load, found("x"))], null],
    "a conflict without cause": [
      [call(0, 1, save("a"), ok), call(2, 3, { do: "replace", id: "b", expected: "a" }, { is: "conflict" })],
      "a",
    ],
    "deleted twice": [
      [call(0, 1, save("a"), ok), call(2, 3, { do: "delete" }, ok), call(4, 5, { do: "delete" }, ok)],
      null,
    ],
    "an unknown write that took effect before it was made": [
      [call(0, 1, load, found("a")), call(2, undefined, save("a"), { is: "unknown" })],
      "a",
    ],
  };
  for (const [name, [calls, final]] of Object.entries(wrong)) {
    assert.equal(checkRegisters(calls, new Map([["k", final]])).length, 1, name);
  }
});

void test("two holders at one time and a fence that falls are found", () => {
  const hold = (holder: string, fence: bigint, from: bigint, until: bigint): Hold => ({
    key: "l",
    holder,
    fence,
    asked: from,
    from,
    until,
  });
  assert.deepEqual(checkHolds([hold("a", 1n, 0n, 5n), hold("b", 2n, 5n, 9n), hold("a", 3n, 10n, 10n)]), []);
  assert.equal(checkHolds([hold("a", 1n, 0n, 5n), hold("b", 2n, 4n, 9n)]).length, 1);
  assert.equal(checkHolds([hold("a", 2n, 0n, 5n), hold("b", 1n, 6n, 9n)]).length, 1);
  assert.equal(checkHolds([hold("a", 2n, 0n, 5n), hold("b", 2n, 6n, 9n)]).length, 1);
  assert.deepEqual(checkHolds([hold("a", 2n, 0n, 5n), hold("b", 1n, 6n, 6n)]), []); // paused before it noted the start
});

void test("a late write, a lost guarded write and a refused one that took effect are found", () => {
  const write = (
    id: string,
    fence: bigint,
    previous: string | null,
    outcome: GuardedWrite["outcome"] = "ok",
  ): GuardedWrite => ({
    key: "g",
    id,
    fence,
    previous,
    outcome,
    start: 0n,
  });
  const right = [
    write("a", 1n, null),
    write("b", 1n, "a"),
    write("c", 2n, "b"),
    write("x", 1n, "b", "fenced"),
    write("y", 2n, "c", "unknown"),
  ];
  assert.deepEqual(checkGuardedWrites(right, new Map([["g", "c"]])), []);
  assert.deepEqual(checkGuardedWrites(right, new Map([["g", "y"]])), []);
  assert.match(
    checkGuardedWrites([write("a", 2n, null), write("b", 1n, "a")], new Map([["g", "b"]])).join(),
    /late write/,
  );
  assert.match(
    checkGuardedWrites([write("a", 1n, null), write("b", 2n, null)], new Map([["g", "b"]])).join(),
    /was lost/,
  );
  assert.match(
    checkGuardedWrites([write("a", 1n, null, "fenced")], new Map([["g", "a"]])).join(),
    /refused and took effect/,
  );
});

void test("where records may go back to an earlier state, a late write and a fence that falls are still found", () => {
  const write = (id: string, fence: bigint, previous: string | null): GuardedWrite => ({
    key: "g",
    id,
    fence,
    previous,
    outcome: "ok",
    start: 0n,
  });
  const hold = (fence: bigint, from: bigint, until: bigint, asked = from - 1n): Hold => ({
    key: "g",
    holder: "a",
    fence,
    asked,
    from,
    until,
  });
  const lost = {
    calls: [call(0, 1, save("a"), ok), call(2, 3, save("b"), ok)],
    timed: [],
    holds: [hold(1n, 0n, 5n), hold(2n, 4n, 9n)],
    writes: [write("c", 1n, null), write("d", 2n, null)],
  };
  const final = new Map([
    ["k", "a"],
    ["g", "d"],
  ]);
  assert.equal(checkHistory(lost, final).length, 3);
  assert.deepEqual(checkHistory(lost, final, { keeps: "fences" }), []);
  const late = {
    ...lost,
    writes: [write("c", 2n, null), write("d", 1n, "c")],
    holds: [hold(2n << 10n, 0n, 1n), hold(1n << 10n, 2n, 3n)],
  };
  assert.equal(checkHistory(late, final, { keeps: "fences" }).length, 2);
  const unaware = [hold(2n << 10n, 5n, 9n), hold(1n << 10n, 10n, 11n, 4n), hold((1n << 10n) | 1n, 12n, 13n)];
  assert.deepEqual(checkHistory({ ...lost, holds: unaware }, final, { keeps: "fences" }), []);
});

void test("a call that outlasts its deadline is found", () => {
  const ms = 1_000_000;
  const history = {
    calls: [call(0, 100 * ms, load, found(null)), call(0, undefined, save("a"), { is: "unknown" })],
    timed: [{ what: "tryAcquire", limit: 200, start: 0n, end: BigInt(300 * ms) }],
    holds: [],
    writes: [],
  };
  assert.deepEqual(checkDeadlines(history, 100, 100), []);
  assert.deepEqual(checkDeadlines(history, 100, 99), ["tryAcquire took 300 ms, and may take 200"]);
  assert.equal(checkDeadlines(history, 50, 49).length, 2);
});

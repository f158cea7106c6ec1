import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inOrder, planOf, waysOf, type Wanted } from "../../../src/backends/sql/plan.ts";
import { Alarm } from "../../../src/backends/common/alarm.ts";
import { Call, Task } from "../../../src/backends/common/call.ts";
import { space, keyId, type Key } from "../../../src/base/keys.ts";
import { systemTime } from "../../../src/base/time.ts";
import type { Group, Operation } from "../../../src/port/index.ts";

const records = space("state", "", "records");
const record = (key: string): Key => ({ space: records, key });
const lock = (key: string): Key => ({ space: space("lock", "", "locks"), key });
const guard = { lock: lock("a"), owner: "o", grant: 1 };
const set: Operation = { op: "set", key: record("a"), id: "i", value: "v" };
const release = (key: string): Operation => ({ op: "release", lock: lock(key), owner: "o" });
const wait: Operation = {
  op: "acquire",
  lock: lock("a"),
  owner: "p",
  mode: "exclusive",
  ttl: 1,
  info: "",
  wait: { claimMs: 1 },
};

function tasksOf(groups: readonly Group[]): readonly Task[] {
  const call = { deadline: Infinity, claim: () => true };
  const make = (of: ConstructorParameters<typeof Task>[0], i: number, group: Group): Task => new Task(of, i, group);
  const alarm = new Alarm<Call<Task>>(systemTime, (one) => one.expire());
  return new Call({ groups, session: "s", backend: "b", make }, call, alarm, () => undefined).tasks;
}

/** The way that a group goes, of those of a batch. */
function waysIn(groups: readonly Group[]): readonly string[] {
  const tasks = tasksOf(groups);
  const ways = waysOf(tasks);
  return tasks.map(
    (task) => Object.entries(ways).find(([, some]) => (some as readonly Task[]).includes(task))?.[0] ?? "",
  );
}

describe("the way that a group goes", () => {
  it("hangs on what it looks at and what it changes", () => {
    const cases: readonly (readonly [string, Group])[] = [
      ["reads", { ops: [{ op: "get", key: record("a") }] }],
      [
        "reads",
        {
          ops: [
            { op: "check", key: record("a"), if: { absent: true } },
            { op: "get", key: record("b") },
          ],
        },
      ],
      ["decided", { guards: [guard], ops: [{ op: "get", key: record("a") }] }],
      ["sets", { ops: [set] }],
      ["sets", { ops: [set, { ...set, key: record("b"), ttl: 5 }] }],
      ["decided", { ops: [{ ...set, ttl: "keep" }] }],
      ["decided", { ops: [{ ...set, if: { absent: true } }] }],
      ["decided", { guards: [guard], ops: [set] }],
      ["decided", { ops: [set, { op: "get", key: record("b") }] }],
      ["decided", { ops: [{ op: "delete", key: record("a") }] }],
      ["renewals", { ops: [release("a"), { op: "extend", lock: lock("b"), owner: "o", grant: 1, ttl: 1 }] }],
      ["decided", { ops: [release("a"), set] }],
      ["decided", { ops: [wait] }],
    ];
    for (const [way, group] of cases) assert.deepEqual(waysIn([group]), [way], JSON.stringify(group.ops));
  });

  it("is that of its lock's other groups in the batch", () => {
    const ways = waysIn([{ ops: [release("a")] }, { ops: [wait] }, { ops: [release("b")] }, { ops: [set] }]);
    assert.deepEqual(ways, ["decided", "decided", "renewals", "sets"]);
    const tasks = tasksOf([{ ops: [release("a")] }, { ops: [wait] }]);
    assert.deepEqual(waysOf(tasks).decided, tasks, "in their order");
  });
});

describe("a plan", () => {
  it("has each row once, as strict as any group needs it", () => {
    const plan = planOf([
      {
        ops: [
          { op: "get", key: record("a"), keyOnly: true },
          { op: "check", key: record("b"), if: { id: "x" } },
        ],
      },
      { guards: [guard], ops: [set, { op: "get", key: record("c"), stamped: true }] },
      { ops: [release("b"), { op: "floor", key: record("a"), grant: 1, n: 0, keepMs: 1 }] },
    ]);
    const shown = (rows: ReadonlyMap<string, Wanted>): unknown =>
      [...rows].map(([id, { mode, values }]) => [id, { mode, values }]);
    assert.deepEqual(shown(plan.records), [
      [keyId(record("a")), { mode: "write", values: false }],
      [keyId(record("b")), { mode: "read", values: true }],
      [keyId(record("c")), { mode: "read", values: true }],
    ]);
    assert.deepEqual(shown(plan.locks), [
      [keyId(lock("a")), { mode: "read", values: false }],
      [keyId(lock("b")), { mode: "write", values: false }],
    ]);
    assert.deepEqual([...plan.floors.keys()], [keyId(record("a"))]);
    assert.deepEqual([...plan.stamped.keys()], [keyId(record("c"))]);
  });

  it("orders keys by the bytes of their UTF-8, as every process does", () => {
    const keys = [
      "b",
      "a",
      "ab",
      "",
      "\uffff",
      "\u{1f600}",
      "\ud7ff",
      "\ue000",
      "\u{10ffff}",
      "é",
      "e\u0301",
      "\u0000",
    ];
    const spaces = [records, space("state", "", "r"), space("cache", "x", "records")];
    const all = spaces.flatMap((of) => keys.map((key) => ({ key: { space: of, key } })));
    const bytes = (one: { key: Key }): Buffer => Buffer.from(keyId(one.key));
    const expected = all.toSorted((one, other) => Buffer.compare(bytes(one), bytes(other)));
    assert.deepEqual(inOrder(all.toReversed()), expected);
  });
});

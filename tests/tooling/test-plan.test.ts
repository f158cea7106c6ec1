import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf } from "../../scripts/lib/test-plan.ts";

const files = [
  "base/bag.test.ts",
  "chaos/kills.test.ts",
  "conformance/lock.test.ts",
  "conformance/port.test.ts",
  "doctor/redis.test.ts",
  "package/conformance.test.ts",
];

test("each suite on each backend that is there is a unit, and each other file; what takes longest begins first", () => {
  const plan = planOf(files, [
    { backend: "memory" },
    { backend: "postgres15" },
    { backend: "mysql", missing: "it is not there" },
  ]);
  assert.deepEqual(
    plan.map(({ name, env }) => [name, env?.["HOLDFAST_SUBJECTS"]]),
    [
      ["package/conformance.test.ts", undefined],
      ["chaos/kills.test.ts", undefined],
      ["conformance/lock.test.ts on memory", "memory"],
      ["conformance/lock.test.ts on postgres15", "postgres15"],
      ["conformance/port.test.ts on memory", "memory"],
      ["conformance/port.test.ts on postgres15", "postgres15"],
      ["doctor/redis.test.ts", undefined],
      ["base/bag.test.ts", undefined],
    ],
  );
  for (const { files: run, name, weight } of plan) {
    assert.deepEqual(run, [name.replace(/ on .*/, "")]);
    assert.ok(weight >= 1 && weight <= 8, `${name} fits on one processor`);
  }
});

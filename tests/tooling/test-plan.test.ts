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

test("the suites on each backend that is there are a unit, and each other file; heavy work begins first, then what takes long", () => {
  const plan = planOf(files, [
    { backend: "memory" },
    { backend: "redis-cluster" },
    { backend: "mysql", missing: "it is not there" },
  ]);
  const suites = ["conformance/lock.test.ts", "conformance/port.test.ts"];
  assert.deepEqual(
    plan.map(({ name, files: run, env }) => [name, run, env?.["HOLDFAST_SUBJECTS"]]),
    [
      ["package/conformance.test.ts", ["package/conformance.test.ts"], undefined],
      ["chaos/kills.test.ts", ["chaos/kills.test.ts"], undefined],
      ["conformance on redis-cluster", suites, "redis-cluster"],
      ["conformance on memory", suites, "memory"],
      ["doctor/redis.test.ts", ["doctor/redis.test.ts"], undefined],
      ["base/bag.test.ts", ["base/bag.test.ts"], undefined],
    ],
  );
  for (const { name, weight } of plan) assert.ok(weight >= 1 && weight <= 4, `${name} fits on two processors`);
});

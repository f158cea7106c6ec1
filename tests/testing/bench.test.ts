import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { benchCase } from "../../src/testing/lock/bench.ts";
import { bindSuite } from "../../src/testing/suite.ts";
import { memoryVirtual } from "../backends/memory/subjects.ts";

// The test runner counts a rejection that nobody handles against whatever runs then.
test("a case that fails leaves no rejection of its calls to others", async () => {
  const held: Promise<unknown>[] = [];
  const failing = benchCase("fails", "nothing", async (bench) => {
    const [a, b] = [bench.lock(), bench.lock()];
    await a.acquire("k");
    await a.readWrite("rw").write.acquire();
    held.push(
      b.acquire("k"),
      b.run("k", () => 1),
      b.readWrite("rw").read.acquire(),
      b.elect("other", () => 1),
    );
    await bench.calm();
    assert.fail("the case's own error");
  });
  const [bound] = await bindSuite("lock", [failing], memoryVirtual);
  await assert.rejects(bound?.run() ?? Promise.resolve(), /the case's own error/);
  for (let i = 0; i < 4; i++) await nextTurn();
  const states = await Promise.all(
    held.map(async (one) =>
      Promise.race([
        one.then(
          () => "kept",
          () => "rejected",
        ),
        nextTurn("open"),
      ]),
    ),
  );
  assert.ok(states.filter((state) => state === "rejected").length >= 3, states.join());
});

import assert from "node:assert/strict";
import { it } from "node:test";
import { Runs, within, type Run } from "../../src/client/runs.ts";

function lengthOf(run: Run): number {
  let length = 0;
  for (let one: Run | undefined = run; one; one = one.outer) length++;
  return length;
}

void it("what starts the next one before it ends, time and again, holds on to no past", () => {
  const runs = new Runs();
  let run = runs.start();
  for (let i = 0; i < 100; i++) {
    const next = within(run, () => runs.start());
    assert.ok(lengthOf(next) <= 3);
    runs.end(run);
    run = next;
  }
});

void it("those from inside of which it is called are exempt, also after an await, and no others", async () => {
  const [runs, others] = [new Runs(), new Runs()];
  const outer = runs.start();
  const beside = runs.start();
  let rested = false;
  await within(outer, async () => {
    await Promise.resolve();
    const inner = runs.start();
    await within(inner, async () => {
      await Promise.resolve();
      runs.exempt();
      runs.exempt();
    });
    runs.end(inner);
  });
  const rest = runs.rest().then(() => (rested = true));
  await others.rest();
  await Promise.resolve();
  assert.equal(rested, false);
  runs.end(beside);
  await rest;
  runs.end(outer);
  await runs.rest();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Outage } from "../../src/each/outage.ts";
import { connect, UnavailableError } from "../../src/entries/index.ts";

test("a request that a store refuses while it answers is made again after pauses, until the timeout", async () => {
  const hf = await connect("memory:");
  let stops = 0;
  let tries = 0;
  const outage = new Outage(
    hf,
    300,
    () => undefined,
    () => stops++,
  );
  const result = await outage.patiently(() => {
    tries++;
    return Promise.reject(new UnavailableError("READONLY", { refused: true }));
  });
  assert.equal(result, undefined);
  assert.equal(stops, 1);
  assert.match(String(outage.failure?.error), /away for 0\.3 s: READONLY/);
  assert.ok(tries > 1 && tries < 10, `${tries} tries`);
  await hf.close();
});

test("a request that a store refuses for a moment is made", async () => {
  const hf = await connect("memory:");
  let tries = 0;
  const outage = new Outage(
    hf,
    10_000,
    () => undefined,
    () => assert.fail("it must not end"),
  );
  const result = await outage.patiently(async () => {
    if (++tries < 3) throw new UnavailableError("LOADING", { refused: true });
    return "done";
  });
  assert.equal(result, "done");
  await hf.close();
});

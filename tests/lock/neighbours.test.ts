import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation } from "../../src/port/index.ts";
import { setUp } from "./hands.ts";

// Those of one process who want one lock, and stores that are slow: what one of them asked for is not the others' end.

/** A store whose replies come after so many ms, once `delay` is set. */
async function slowStore() {
  const state = { delayMs: 0, asked: [] as Operation["op"][] };
  const world = setUp((own) => own, {
    asked: (ops) => void state.asked.push(...ops.map(({ op }) => op)),
    answered: async () => {
      if (state.delayMs > 0) await new Promise<void>((resolve) => world.time.after(state.delayMs, resolve));
    },
  });
  await world.lock.inspect("opened");
  return { ...world, state };
}

test("a short timeout of the first fails nobody who gives the store more time", async () => {
  const { lock, time, state } = await slowStore();
  state.delayMs = 300;
  const hasty = lock.acquire("k", { timeout: 100 });
  const patient = lock.acquire("k");
  hasty.catch(() => undefined);
  patient.catch(() => undefined);
  await time.advance(250);
  await assert.rejects(hasty, { code: "INDETERMINATE" });
  await time.advance(3_000);
  (await patient).assertHeld();
});

test("a try whose ttl was over when the store answered fails nobody else", async () => {
  const { lock, time, state } = await slowStore();
  state.delayMs = 60;
  const short = lock.tryAcquire("k", { ttl: 50 });
  const patient = lock.acquire("k");
  short.catch(() => undefined);
  patient.catch(() => undefined);
  await time.advance(1_000);
  await assert.rejects(short, { code: "UNAVAILABLE" });
  (await patient).assertHeld();
});

test("a try that waits for its turn to be asked for has a timeout as well", async () => {
  const { lock, time, state } = await slowStore();
  state.delayMs = 20_000;
  const first = lock.acquire("k", { wait: "2m", timeout: "60s" });
  const tried = lock.tryAcquire("k", { timeout: 100 });
  tried.catch(() => undefined);
  await time.advance(200);
  await assert.rejects(tried, { code: "UNAVAILABLE" });
  await time.advance(20_000);
  (await first).assertHeld();
});

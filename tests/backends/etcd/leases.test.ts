import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { StoreError } from "../../../src/backends/store/index.ts";
import { Leases } from "../../../src/backends/etcd/leases.ts";

const limit = { deadline: Infinity };

describe("leases of etcd", () => {
  it("last longer than what they remove, and are shared by what ends at about the same time", async (t) => {
    t.mock.method(performance, "now", () => 1_234_567.8);
    t.mock.method(Date, "now", () => 1_800_000_000_000);
    const granted: number[] = [];
    const leases = new Leases(async (seconds) => granted.push(seconds));
    for (const ms of [1, 900, 30_000, 3_600_000]) {
      const now = performance.now();
      const id = await leases.until(now + ms, limit);
      assert.equal(await leases.until(now + ms, limit), id);
      const seconds = granted.at(-1) ?? 0;
      assert.ok(seconds * 1_000 >= ms && seconds * 1_000 <= 1.3 * ms + 2_000, `${seconds} s for ${ms} ms`);
    }
    const now = performance.now();
    granted.length = 0;
    for (let ms = 0; ms < 10_000; ms += 10) await leases.until(now + 60_000 + ms, limit);
    assert.ok(granted.length <= 3, `${granted.length} leases`);
    assert.equal(await leases.until(Infinity, limit), 0);
  });

  it("that a machine has slept through are not counted on", async () => {
    let next = 0;
    const leases = new Leases(async () => ++next);
    const end = performance.now() + 60_000;
    const first = await leases.until(end, limit);
    const slept = Date.now() + 50_000;
    const clock = mock.method(Date, "now", () => slept); // the monotonic clock stands still meanwhile
    const second = await leases.until(end, limit);
    clock.mock.restore();
    assert.notEqual(second, first, "the server has gone on");
  });

  it("that do not come in time are no reason to doubt that anything was sent", async () => {
    const leases = new Leases(async () => new Promise(() => undefined));
    const alive = setTimeout(() => undefined, 10_000);
    const end = performance.now() + 60_000;
    for (let i = 0; i < 2; i++) {
      await assert.rejects(leases.until(end, { deadline: performance.now() + 60 }), (error) => {
        return error instanceof StoreError && !error.sent;
      });
    }
    clearTimeout(alive);
  });

  it("that could not be had are asked for again", async () => {
    let tries = 0;
    const leases = new Leases(async () => {
      if (++tries === 1) throw new Error("no leader");
      return 1;
    });
    const end = performance.now() + 60_000;
    await assert.rejects(leases.until(end, limit), /no leader/);
    assert.equal(await leases.until(end, limit), 1);
  });
});

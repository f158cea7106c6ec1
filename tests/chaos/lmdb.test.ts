import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "../../src/entries/index.ts";
import { checkHistory } from "./support/checks.ts";
import { killWorker, pauseWorker, runNemesis, times } from "./support/nemesis.ts";
import { finalState } from "./support/workload.ts";

// HOLDFAST_SEED runs one seed again, HOLDFAST_ROUNDS more of them.
const first = Number(process.env["HOLDFAST_SEED"] ?? 1);
const rounds = Number(process.env["HOLDFAST_ROUNDS"] ?? 3);

for (let seed = first; seed < first + rounds; seed++) {
  void test(`processes on one directory are killed and paused, and the history holds (seed ${seed})`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
    try {
      const logs = join(directory, "logs");
      mkdirSync(logs);
      const url = `file:${join(directory, "data")}`;
      const history = await runNemesis({
        url: () => url,
        logs,
        seed,
        processes: 4,
        deeds: [...times(6, killWorker), ...times(4, pauseWorker(600))],
        registers: 8,
        locks: 4,
        fibers: 4,
        ttl: 400,
        timeout: 20_000,
      });
      const hf = await connect(url, { service: "chaos" });
      const final = await finalState(hf, { registers: 8, locks: 4 });
      await hf.close();
      t.diagnostic(
        `${history.calls.length} calls, ${history.holds.length} holds, ${history.writes.length} guarded writes`,
      );
      assert.ok(history.calls.length > 100 && history.holds.length > 10, "the processes did nothing");
      assert.deepEqual(checkHistory(history, final), []);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

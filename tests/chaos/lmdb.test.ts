import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { killWorker, pauseWorker, times } from "./support/nemesis.ts";
import { runRound, seeds } from "./support/round.ts";

for (const seed of seeds(3)) {
  void test(`processes on one directory are killed and paused, and the history holds (seed ${seed})`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
    try {
      const deeds = [...times(6, killWorker), ...times(4, pauseWorker(600))];
      await runRound(t, { url: `file:${directory}`, seed, deeds, ttl: 400, timeout: 20_000 });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

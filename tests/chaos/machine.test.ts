import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { kinds } from "../backends/machine/support/kinds.ts";
import { killWorker, pauseWorker, times } from "./support/nemesis.ts";
import { runRound, seeds } from "./support/round.ts";

const rounds = kinds.flatMap((kind) => seeds(1).map((seed) => ({ kind, seed })));
for (const { kind, seed } of rounds) {
  void test(`${kind.name}: processes are killed and paused, and the history holds (seed ${seed})`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
    try {
      const deeds = [...times(6, killWorker), ...times(4, pauseWorker(600))];
      await runRound(t, { url: kind.url(folder), seed, deeds, ttl: 400, timeout: 20_000 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

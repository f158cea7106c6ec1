import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { kinds, type Kind } from "../backends/machine/support/kinds.ts";
import { runKills } from "./support/kills.ts";

// As many as a run can afford; `npm run test:kills` takes 5,000 kills and 100,000 opens.
const kills = Number(process.env["HOLDFAST_KILLS"] ?? 30);
const opens = Number(process.env["HOLDFAST_OPENS"] ?? 100);
/** In a whole run the tests beside it keep the cores busy. */
const busy = process.env["HOLDFAST_KILLS"] === undefined ? 0 : 1;
/** At least two rounds: one of each kind of value. */
const round = Math.min(100, Math.ceil(kills / 2));

for (let done = 0; done < kills; done += round) {
  const number = done / round;
  // Values within a page, and values with pages of their own.
  const padding = number % 2 === 0 ? 8 : 20_000;
  const share = Math.round((opens * Math.min(round, kills - done)) / kills);
  const name = `nothing acknowledged is lost while processes are killed and connect, round ${number}`;
  embeddedTest(name, async (t, kind) => {
    const place = mkdtempSync(path.join(tmpdir(), "holdfast-kills-"));
    try {
      const logs = path.join(place, "logs");
      mkdirSync(logs);
      const result = await runKills({
        kind,
        folder: place,
        logs,
        kills: Math.min(round, kills - done),
        opens: share,
        padding,
        busy,
      });
      t.diagnostic(
        `${result.kills} kills, ${result.opens} opens, ${result.increments} increments, ${result.loads} loads: ${result.wrong.length} wrong`,
      );
      assert.deepEqual(result.wrong.slice(0, 20), []);
      assert.ok(result.increments > 100 && result.loads > 10, "the processes did nothing");
    } finally {
      rmSync(place, { recursive: true });
    }
  });
}

function embeddedTest(name: string, body: (t: TestContext, kind: Kind) => Promise<void>): void {
  for (const kind of kinds) test(`${kind.name}: ${name}`, async (t) => body(t, kind));
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { kinds } from "../backends/machine/support/kinds.ts";
import { killHolders, pauseHolders, type HoldersOptions } from "./support/holders.ts";

for (const kind of kinds) {
  void describe(kind.name, () => {
    let folder: string;
    let options: HoldersOptions;

    before(() => {
      folder = mkdtempSync(join(tmpdir(), "holdfast-holders-"));
      options = { url: kind.url(folder), processes: 10, holders: 100, slack: 50 };
    });
    after(() => rmSync(folder, { recursive: true }));

    void test("1,000 holders are killed: nothing acknowledged is lost, the next waiter is in within 50 ms", async (t) =>
      killHolders(t, { ...options, deathIsKnown: true }));

    void test("1,000 holders are paused past their lease: none of their late writes is accepted", async (t) =>
      pauseHolders(t, options));
  });
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { sqliteBackend } from "../../../src/backends/sqlite/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { TestSubject } from "../../support/conform.ts";
import { realUnit } from "../../support/unit.ts";

export const subjects: readonly TestSubject[] = [
  {
    name: "sqlite",
    // Each backend is a thread that starts and flushes: they hold each other up.
    unit: Math.max(500, realUnit),
    atOnce: 6,
    async place() {
      const folder = await mkdtemp(path.join(tmpdir(), "holdfast-"));
      const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true });
      return placeOf(() => sqliteBackend({ path: path.join(folder, "data.db") }), { remove });
    },
  },
];

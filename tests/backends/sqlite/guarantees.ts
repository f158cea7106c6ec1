import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { sqliteBackend } from "../../../src/backends/sqlite/index.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-guarantees-"));
  const backend = sqliteBackend({ path: path.join(folder, "data.db") });
  try {
    const { capabilities } = await backend.open();
    return [{ title: "`sqlite:`", capabilities }];
  } finally {
    await backend.close();
    rmSync(folder, { recursive: true });
  }
}

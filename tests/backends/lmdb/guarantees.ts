import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { lmdbBackend } from "../../../src/backends/lmdb/index.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-guarantees-"));
  const backend = lmdbBackend({ path: folder });
  try {
    const { capabilities } = await backend.open();
    return [{ title: "`file:` (LMDB)", capabilities }];
  } finally {
    await backend.close();
    rmSync(folder, { recursive: true });
  }
}

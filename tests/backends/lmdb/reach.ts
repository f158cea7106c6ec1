import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Reach } from "../../../scripts/lib/backends.ts";

/** Whether the driver runs here. */
export async function reach(): Promise<Reach[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-probe-"));
  try {
    const { open } = await import("lmdb");
    const database = open({ path: folder });
    await database.put("probe", 1);
    await database.close();
    return [{ backend: "lmdb" }];
  } catch (error) {
    return [{ backend: "lmdb", missing: error instanceof Error ? error.message : String(error) }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

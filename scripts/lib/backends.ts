import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A backend and, when the tests cannot run on it here, the reason. */
export interface Reach {
  readonly backend: string;
  readonly missing?: string;
}

/** Which backends the tests can run on, on this machine. */
export async function reachBackends(): Promise<Reach[]> {
  return [{ backend: "null" }, { backend: "memory" }, await reachLmdb()];
}

async function reachLmdb(): Promise<Reach> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-probe-"));
  try {
    const { open } = await import("lmdb");
    const database = open({ path: folder });
    await database.put("probe", 1);
    await database.close();
    return { backend: "lmdb" };
  } catch (error) {
    return { backend: "lmdb", missing: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

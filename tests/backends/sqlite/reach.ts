import type { Reach } from "../../../scripts/lib/backends.ts";
import { loadDriver } from "../../../src/backends/sqlite/driver.ts";

/** Whether Node has a driver, or one is installed. */
export async function reach(): Promise<Reach[]> {
  try {
    const connection = (await loadDriver()).open(":memory:", false);
    const row = connection.prepare("SELECT sqlite_version() AS version").get();
    connection.close();
    return [{ backend: "sqlite", version: String(row?.["version"]) }];
  } catch (error) {
    return [{ backend: "sqlite", missing: error instanceof Error ? error.message : String(error) }];
  }
}

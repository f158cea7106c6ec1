import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { capabilities } from "../../../src/backends/mysql/capabilities.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const instead = { "an acknowledged write survives": "a power cut, but not every failover" };
  return [{ title: "`mysql://`", capabilities, instead }];
}

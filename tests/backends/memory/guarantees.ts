import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { memoryBackend } from "../../../src/backends/memory/index.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const backend = memoryBackend();
  const { capabilities } = await backend.open();
  await backend.close();
  return [{ title: "`memory:`", capabilities }];
}

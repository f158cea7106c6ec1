import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { nullBackend } from "../../../src/backends/null/index.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const backend = nullBackend();
  const { capabilities } = await backend.open();
  await backend.close();
  return [{ title: "`null:`", capabilities }];
}

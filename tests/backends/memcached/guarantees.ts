import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { declared } from "../../../src/backends/memcached/store.ts";
import { capabilitiesOf } from "../../../src/backends/store/promises.ts";

/** What the README says that it promises, as it is unless told otherwise. */
export async function columns(): Promise<Column[]> {
  const capabilities = capabilitiesOf({ atomic: "one" }, declared("none"));
  const instead = {
    "a read after an acknowledged write": "sees it, or nothing where it was evicted",
    "largest value": "just under 1 MiB, or what the server takes",
    "most keys in a transaction": "none",
  };
  return [{ title: "`memcached://`", capabilities, instead }];
}

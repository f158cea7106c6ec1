import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { resolveOptions } from "../../../src/backends/etcd/options.ts";
import { EtcdStore } from "../../../src/backends/etcd/store.ts";
import { capabilitiesOf } from "../../../src/backends/store/promises.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const store = new EtcdStore(resolveOptions({ url: "etcd://localhost" }));
  const capabilities = capabilitiesOf(store, store.declares);
  const instead = { "who ends leases": "whoever has seen one for its ttl" };
  return [{ title: "`etcd://`", capabilities, instead }];
}

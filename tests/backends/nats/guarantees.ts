import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { promised } from "../../../src/backends/nats/settings.ts";
import { NatsStore } from "../../../src/backends/nats/store.ts";
import { capabilitiesOf } from "../../../src/backends/store/promises.ts";

/** What the README says that it promises. */
export async function columns(): Promise<Column[]> {
  const capabilities = capabilitiesOf(new NatsStore({ url: "nats://localhost" }), promised);
  const instead = {
    "an acknowledged write survives": "the process; a power cut loses up to two minutes",
    "largest value": "just under 1 MiB, or what the server takes",
    "most keys in a transaction": "none",
  };
  return [{ title: "`nats://`", capabilities, instead }];
}

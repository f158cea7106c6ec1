import type { Column } from "../../../scripts/lib/guarantee-table.ts";
import { capabilitiesOf } from "../../../src/backends/redis/capabilities.ts";

/** What the README says that it promises. It depends on the settings, so these are those of a server that is set right. */
export async function columns(): Promise<Column[]> {
  const promises = { exclusion: "primary", durability: "disk", stamps: "atomic" } as const;
  const instead = { "an acknowledged write survives": "what the server's settings say, but not every failover" };
  return [
    {
      title: "`redis://`, `redis+sentinel://`",
      capabilities: capabilitiesOf("single", promises, true),
      instead,
    },
    { title: "`redis+cluster://`", capabilities: capabilitiesOf("cluster", promises, true), instead },
  ];
}

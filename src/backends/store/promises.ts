import type { Capabilities } from "../../port/index.ts";
import type { Declares, Store } from "./store.ts";

/** What a value leaves for what is stored beside it, in bytes: its version, its stamps, its fence. */
const headBytes = 4_096;
/** So that there is room for a value. */
export const leastContent = headBytes + 1;

/** Most keys of one read. */
export function mostReadOf({ declares: { mostRead = 256, mostCells = 64 } }: Store): number {
  return Math.max(mostRead, mostCells);
}

/** The largest content of a cell. */
export function contentOf({ maxValue }: Capabilities): number {
  return maxValue + headBytes;
}

/** What a backend on this store promises. */
export function capabilitiesOf(
  store: Pick<Store, "atomic" | "messages" | "watch" | "scan">,
  declares: Declares,
): Capabilities {
  const { exclusion, fence, reads, durability, ttlGranularity, shared, clock, maxContent, mostCells } = declares;
  const any = store.atomic === "any";
  const tells = store.messages !== undefined || store.watch !== undefined;
  return {
    exclusion,
    fence,
    guard: any ? "atomic" : (declares.guard ?? "floor"),
    reads,
    transact: any ? "full" : "none",
    durability,
    clock: clock === "none" ? "client" : clock,
    ttlGranularity,
    maxValue: maxContent - headBytes,
    push: tells,
    watch: store.watch ? (declares.watch ?? "lossy") : "none",
    list: store.scan !== undefined,
    batchRoundTrips: 2,
    shared,
    stamps: any ? "atomic" : "apart",
    maxGroup: any ? (mostCells ?? 64) : 64,
  };
}

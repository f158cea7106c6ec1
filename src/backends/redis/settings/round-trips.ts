import { quantilesOf } from "../../../base/quantiles.ts";
import type { RoundTrips } from "../../../port/index.ts";
import type { Node } from "../router.ts";
import { within, type Asking } from "./ask.ts";

/** Pings a node, one after the other: `most` times, or as often as fits into a part of the time that is left. */
export async function pingNode(node: Node, most: number, share: number, asking: Asking): Promise<RoundTrips> {
  const { time, deadline } = asking;
  const until = time.monotonic() + (deadline - time.monotonic()) * share;
  const took: number[] = [];
  while (took.length < most && (took.length === 0 || time.monotonic() < until)) {
    const start = time.monotonic();
    await within(node.send(["PING"]), asking);
    took.push(time.monotonic() - start);
  }
  return { to: node.id, ...quantilesOf(took) };
}

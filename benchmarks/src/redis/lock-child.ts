// One lock in a process of its own: takes and gives back keys that nobody else wants, as often as it is told. Started by locks.ts.
import { inFlight } from "../measure.ts";
import { lockPeers, rawLock } from "./peers.ts";

const KEYS = 4_096;

/** What a child is told first, and after that numbers of pairs. */
export interface Start {
  readonly url: string;
  readonly peer: string;
  /** Pairs under way at a time. */
  readonly width: number;
}

process.once("message", (start) => void prepare(start as Start));

async function prepare({ url, peer, width }: Start): Promise<void> {
  const make = lockPeers[peer];
  const { acquire, close } = make ? await make(url, "default") : await rawLock(url);
  process.on("message", (pairs) => void run(pairs as number));
  process.send?.("ready");

  async function run(pairs: number): Promise<void> {
    if (pairs > 0) await inFlight(pairs, width, async (i) => (await acquire(`free-${i % KEYS}`)).release());
    else await close();
    process.send?.("done", () => {
      if (pairs === 0) process.exit(0);
    });
  }
}

import { compare, inFlight } from "../measure.ts";
import { lockPeers, rawLock, type LockPeer } from "./peers.ts";

const KEYS = 4_096;
const WIDTH = 64;

/** acquire and release of keys that nobody else wants, beside two scripts and the other packages. */
export async function locks(url: string, peers: readonly string[], scale: number): Promise<void> {
  const made: [string, LockPeer][] = [];
  for (const name of peers) {
    const make = lockPeers[name];
    if (make === undefined) throw new Error(`no such lock: ${name}`);
    made.push([name, await make(url, "default")]);
  }
  made.splice(1, 0, ["raw limit: two EVALSHA", await rawLock(url)]);
  await compare(
    `lock: acquire and release, nobody waits, ${WIDTH} in flight (pairs)`,
    made.map(([name, { acquire }]) => ({
      name,
      run: (n) => inFlight(n, WIDTH, async (i) => (await acquire(`free-${i % KEYS}`))()),
    })),
    { operations: 30_000 * scale, rounds: 5 },
  );
  for (const [, peer] of made) await peer.close();
}

import { compare, type Contender } from "../measure.ts";
import { answer, withChildren } from "../answer.ts";
import type { Start } from "./lock-child.ts";
import { lockPeers, RAW } from "./peers.ts";

const WIDTH = 64;

/**
 * acquire and release of keys that nobody else wants, beside two scripts and the other packages. Each in a process of its own,
 * as in a service: in one process they would share a heap, and what the compiler has learned of the others.
 */
export async function locks(url: string, peers: readonly string[], scale: number): Promise<void> {
  for (const name of peers) if (lockPeers[name] === undefined) throw new Error(`no such lock: ${name}`);
  const [own, ...others] = peers as readonly [string, ...string[]];
  await withChildren("redis/lock-child.ts", [own, RAW, ...others], async (children) => {
    await Promise.all(
      children.map(async ({ name: peer, child }) => answer(child, { url, peer, width: WIDTH } satisfies Start)),
    );
    await compare(
      `lock: acquire and release, nobody waits, ${WIDTH} in flight (pairs)`,
      children.map(({ name, child }): Contender => ({
        name,
        run: async (pairs) => void (await answer(child, pairs)),
      })),
      { operations: 100_000 * scale, rounds: 5 },
    );
    await Promise.all(children.map(async ({ child }) => answer(child, 0)));
  });
}

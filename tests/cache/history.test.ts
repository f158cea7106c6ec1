import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { memoryBackend, MemoryServer } from "../../src/backends/memory/index.ts";
import { Cache } from "../../src/cache/index.ts";
import { Instance } from "../../src/client/index.ts";
import type { Backend } from "../../src/port/index.ts";
import { remote } from "./support.ts";

const keys = ["a", "b", "c"];
/** Steps of each actor. */
const steps = 400;

/** Numbers from 0 to 1 that are the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The backend, with every request delayed by some turns of the event loop on its way there and back. */
function slow(backend: Backend, next: () => number, transact: "full" | "none"): Backend {
  const away = remote(backend, { capabilities: { transact } });
  const wait = async (): Promise<void> => {
    for (let i = Math.floor(next() * 4); i > 0; i--) await turn();
  };
  return {
    ...away,
    session() {
      const session = away.session();
      return {
        ...session,
        async execute(groups, call) {
          await wait();
          const outcomes = await session.execute(groups, call);
          await wait();
          return outcomes;
        },
      };
    },
  };
}

/**
 * Instances that change a truth and then end what is cached of it, by key, by tag or altogether, while others load it: who asks
 * after a change was made known must not find what was true before.
 */
async function run(seed: number, make: (next: () => number) => Backend): Promise<{ hits: number; loads: number }> {
  const next = random(seed);
  const pick = (): string => keys[Math.floor(next() * keys.length)] as string;
  const caches = Array.from(
    { length: 3 },
    () => new Cache<number>(new Instance(make(next), { timeout: 60_000 }), "values", { ttl: "1h" }),
  );
  const truth = new Map<string, number>();
  const known = new Map<string, number>();
  const change = async (cache: Cache<number>): Promise<void> => {
    const key = pick();
    const version = (truth.get(key) ?? 0) + 1;
    truth.set(key, version);
    const how = next();
    if (how < 0.3) await cache.delete(key);
    else if (how < 0.6) await cache.invalidateTags([`early ${key}`]);
    else if (how < 0.9) await cache.invalidateTags([`late ${key}`]);
    else await cache.clear();
    for (const one of [`${key} everywhere`, `${key} ${caches.indexOf(cache)}`]) {
      known.set(one, Math.max(known.get(one) ?? 0, version));
    }
  };
  const ask = async (cache: Cache<number>): Promise<void> => {
    const key = pick();
    const everywhere = known.get(`${key} everywhere`) ?? 0;
    const here = known.get(`${key} ${caches.indexOf(cache)}`) ?? 0;
    const loaded = async (): Promise<number> => {
      const value = truth.get(key) ?? 0;
      for (let i = Math.floor(next() * 5); i > 0; i--) await turn();
      return value;
    };
    const { shared } = cache.stats();
    const asked = cache.getOrSet(
      key,
      async ({ set }) => {
        const found = await loaded();
        set({ tags: [`late ${key}`] });
        return found;
      },
      { tags: [`early ${key}`] },
    );
    // A load that is on its way is joined unless this instance has changed something since it began.
    const least = cache.stats().shared > shared ? here : everywhere;
    const value = await asked;
    assert.ok(value >= least, `seed ${seed}: ${key} was ${value}, at least ${least} was known`);
  };
  const actor = async (cache: Cache<number>): Promise<void> => {
    for (let i = 0; i < steps; i++) {
      await (next() < 0.2 ? change(cache) : ask(cache));
      if (next() < 0.3) await turn();
    }
  };
  await Promise.all([...caches, ...caches].map(actor));
  const stats = caches.map((cache) => cache.stats());
  assert.equal(
    stats.reduce((sum, { errors }) => sum + errors, 0),
    0,
  );
  return {
    hits: stats.reduce((sum, { hits }) => sum + hits, 0),
    loads: stats.reduce((sum, { loads }) => sum + loads, 0),
  };
}

describe("no cache serves what was changed before it was asked", () => {
  const makers: [string, () => (next: () => number) => Backend][] = [
    [
      "in this process",
      () => {
        const server = new MemoryServer();
        return () => memoryBackend({ server });
      },
    ],
    ...(["full", "none"] as const).map((transact): [string, () => (next: () => number) => Backend] => [
      `somewhere else, transact ${transact}`,
      () => {
        const server = new MemoryServer();
        return (next) => slow(memoryBackend({ server }), next, transact);
      },
    ]),
  ];
  for (const [name, place] of makers) {
    it(name, async () => {
      for (let seed = 1; seed <= 3; seed++) {
        const { hits, loads } = await run(seed, place());
        // A run in which nothing is kept, or nothing ends, would prove nothing.
        assert.ok(hits > 100 && loads > 100, `${hits} hits, ${loads} loads`);
      }
    });
  }
});

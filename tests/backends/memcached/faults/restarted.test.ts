import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connect, isHoldfastError, type Holdfast } from "../../../../src/entries/index.ts";
import { Random } from "../../../chaos/support/random.ts";
import { seeds } from "../../../chaos/support/round.ts";
import {
  faultKinds,
  lacks,
  memcachedUrl,
  startMemcached,
  type MemcachedServer,
} from "../../../support/memcached/server.ts";
import { until } from "../../../support/servers/until.ts";

const timeout = 1_000;
const keys = 24;

/** A record that one caller writes, one value after the other. */
interface Written {
  /** The number of the last value that was sent, and of the last that was acknowledged. */
  sent: number;
  known: number;
  /** Those whose fate was unknown: they may take effect late, when a server goes on that stood still. */
  readonly unknown: Set<number>;
}

/**
 * Callers write and read while servers are killed, paused and started anew, each with nothing. What is read is nothing,
 * or a value of that key no older than the last that was acknowledged, or one whose fate was unknown; every call ends in
 * time.
 */
async function workWhile(urls: readonly string[], work: () => Promise<void>): Promise<Record<string, number>> {
  const options = { service: "restarts", timeout } as const;
  const instances = await Promise.all(urls.map(async (url) => connect(url, options)));
  const lateness = monitorEventLoopDelay({ resolution: 5 });
  lateness.enable();
  const counts = { saved: 0, failed: 0, found: 0, missing: 0, raised: 0, held: 0 };
  let longest = 0;
  let done = false;
  const timed = async <T>(call: () => Promise<T>, onUnknown?: () => void): Promise<T | undefined> => {
    const begun = performance.now();
    try {
      return await call();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      assert.ok(["UNAVAILABLE", "INDETERMINATE", "CONFLICT", "LEASE_LOST", "FENCED"].includes(error.code), error.stack);
      counts.failed++;
      if (error.code === "INDETERMINATE") onUnknown?.();
      await pause(5); // an ejected server is refused at once
      return undefined;
    } finally {
      longest = Math.max(longest, performance.now() - begun);
    }
  };
  const all = Array.from({ length: keys }, (): Written => ({ sent: 0, known: 0, unknown: new Set() }));
  const write = async (hf: Holdfast, i: number): Promise<void> => {
    const store = hf.state<{ key: number; n: number }>("records");
    const written = all[i] as Written;
    while (!done) {
      const n = ++written.sent;
      const save = async (): Promise<unknown> => store.save(`k${i}`, { key: i, n });
      if ((await timed(save, () => written.unknown.add(n))) === undefined) continue;
      written.known = n;
      counts.saved++;
    }
  };
  const read = async (hf: Holdfast, random: Random): Promise<void> => {
    const store = hf.state<{ key: number; n: number }>("records");
    while (!done) {
      const i = random.int(0, keys);
      const { known, unknown } = all[i] as Written;
      const begun = counts.failed;
      const value = await timed(async () => store.load(`k${i}`));
      if (value === undefined) {
        if (counts.failed === begun) counts.missing++;
        continue;
      }
      counts.found++;
      assert.equal(value.key, i, "a value of another key");
      assert.ok(
        value.n >= known || unknown.has(value.n),
        `k${i}: ${value.n} was read, ${known} was acknowledged before`,
      );
      assert.ok(value.n <= (all[i] as Written).sent);
    }
  };
  const count = async (hf: Holdfast): Promise<void> => {
    while (!done) {
      const raised = await timed(async () => hf.state<number>("counts").upsert("c", (n) => (n ?? 0) + 1));
      if (raised) counts.raised++;
      const lease = await timed(async () => hf.lock("locks").tryAcquire("l", { ttl: 500 }));
      if (lease) counts.held++;
      await timed(async () => lease?.release());
    }
  };
  const callers = instances.flatMap((hf, at) => [
    ...Array.from({ length: keys / urls.length }, async (_, i) => write(hf, i * urls.length + at)),
    ...Array.from({ length: 6 }, async (_, i) => read(hf, new Random(at * 100 + i))),
    count(hf),
  ]);
  try {
    await Promise.race([work(), Promise.all(callers)]);
  } finally {
    done = true;
    await Promise.all(callers);
    lateness.disable();
    await Promise.all(instances.map(async (hf) => hf.close()));
  }
  const most = timeout + 500 + 2 * (lateness.max / 1e6);
  assert.ok(longest < most, `a call took ${longest.toFixed()} ms, and may take ${most.toFixed()}`);
  return counts;
}

for (const kind of faultKinds) {
  for (const count of [1, 3]) {
    for (const seed of seeds(1)) {
      const title = `${count} of ${kind}, killed and paused under load: no call hangs, no value is wrong (seed ${seed})`;
      void test(title, { skip: lacks(kind) }, async (t) => {
        const servers = await Promise.all(Array.from({ length: count }, async () => startMemcached({ kind })));
        const random = new Random(seed);
        const isBack = async (server: MemcachedServer): Promise<void> => {
          const hf = await connect(memcachedUrl(server.port), { service: "probe", timeout });
          try {
            await until("it serves", async () =>
              hf.ping().then(
                () => true,
                () => false,
              ),
            );
          } finally {
            await hf.close();
          }
        };
        try {
          const url = memcachedUrl(...servers.map(({ port }) => port));
          const counts = await workWhile([url, url], async () => {
            for (let i = 0; i < 8; i++) {
              await pause(random.int(50, 250));
              const server = random.pick(servers);
              if (i % 4 === 3) {
                server.pause();
                await pause(random.int(100, 1_600));
                server.resume();
              } else {
                await server.kill();
                await pause(random.int(0, 300));
                await server.restart();
              }
              await isBack(server);
            }
          });
          t.diagnostic(JSON.stringify(counts));
          for (const [what, number] of Object.entries(counts)) assert.ok(number > 0, `${what}: ${number}`);
        } finally {
          for (const server of servers) server.resume();
          await Promise.all(servers.map(async (server) => server.stop()));
        }
      });
    }
  }
}

// What a call costs as there is more: keys, leases held, waiters. Flat is right; the machine's caches make it rise a little.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Holdfast, type Lease } from "holdfast";
import { format, inFlight } from "./measure.ts";

const megabytes = (): string => {
  globalThis.gc?.();
  return `${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`;
};

async function perSecond(operations: number, run: () => Promise<void>): Promise<string> {
  const start = performance.now();
  await run();
  return `${format(operations / ((performance.now() - start) / 1000))}/s`;
}

async function keys(hf: Holdfast, name: string, sizes: readonly number[]): Promise<void> {
  console.log(`\n${name}: keys`);
  const state = hf.state<{ n: number }>("growth");
  let filled = 0;
  for (const size of sizes) {
    const add = size - filled;
    const from = filled;
    const saves = await perSecond(add, () => inFlight(add, 1_000, (i) => state.save(`key-${from + i}`, { n: i })));
    filled = size;
    const loads = await perSecond(20_000, () => inFlight(20_000, 1, (i) => state.load(`key-${(i * 7919) % size}`)));
    const again = await perSecond(20_000, () =>
      inFlight(20_000, 1_000, (i) => state.save(`key-${(i * 7919) % size}`, { n: i })),
    );
    console.log(`  ${String(size).padStart(9)}: new ${saves}, load ${loads}, save again ${again}, ${megabytes()}`);
  }
}

async function leases(hf: Holdfast, name: string, count: number): Promise<void> {
  const lock = hf.lock("growth");
  const held: Lease[] = [];
  const taken = await perSecond(count, () =>
    inFlight(count, 256, async (i) => held.push(await lock.acquire(`lease-${i}`, { ttl: "30s" }))),
  );
  const besides = await perSecond(2_000, () =>
    inFlight(2_000, 16, async (i) => {
      const lease = await lock.acquire(`other-${i % 16}`);
      await lease.release();
    }),
  );
  const released = await perSecond(count, () =>
    inFlight(count, 256, async (i) => void (await (held[i] as Lease).release())),
  );
  console.log(
    `\n${name}: ${count} leases held: taken ${taken}, other locks meanwhile ${besides}, released ${released}, ${megabytes()}`,
  );
}

async function waiters(hf: Holdfast, name: string): Promise<void> {
  console.log(`\n${name}: waiters on one key`);
  const lock = hf.lock("growth");
  for (const count of [10, 100, 1_000]) {
    const handOffs = await perSecond(20_000, () =>
      inFlight(20_000, count, async () => {
        const lease = await lock.acquire("one");
        await lease.release();
      }),
    );
    console.log(`  ${String(count).padStart(5)}: ${handOffs} hand-offs`);
  }
}

const directory = mkdtempSync(join(tmpdir(), "holdfast-growth-"));
for (const [name, url] of [
  ["memory", "memory:"],
  ["lmdb", `file:${directory}`],
] as const) {
  const hf = await connect(url, { service: "bench", timeout: "60s" });
  await keys(hf, name, [1_000, 10_000, 100_000, 1_000_000]);
  await leases(hf, name, 10_000);
  await waiters(hf, name);
  await hf.close();
}
rmSync(directory, { recursive: true });

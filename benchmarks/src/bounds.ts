// What stays of what is gone, in bytes for each of a hundred thousand, and what one signal for many calls costs. Run with --expose-gc.
//
//   node --expose-gc src/bounds.ts [count]
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, type Holdfast } from "holdfast";
import { createClient } from "redis";
import { inFlight, report, timed } from "./measure.ts";
import { startServer } from "./redis/server.ts";

const count = Number(process.argv[2] ?? 100_000);

/** Bytes of the heap that are in use, once the collector has told of what is gone. */
async function heap(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await pause(20);
  }
  return process.memoryUsage().heapUsed;
}

/** A store, and what it takes: bytes, and records where it tells. */
interface Store {
  readonly name: string;
  readonly hf: Holdfast;
  readonly taken: () => Promise<{ readonly bytes: number; readonly records?: number }>;
}

async function each(store: Store, what: string, run: () => Promise<void>, waitMs = 0): Promise<void> {
  const before = [await heap(), await store.taken()] as const;
  await run();
  await pause(waitMs);
  const after = [await heap(), await store.taken()] as const;
  const perHeap = ((after[0] - before[0]) / count).toFixed(1);
  const perStore = ((after[1].bytes - before[1].bytes) / count).toFixed(1);
  const records = after[1].records === undefined ? "" : `, records ${before[1].records} to ${after[1].records}`;
  console.log(`  ${what.padEnd(52)} heap ${perHeap.padStart(7)} B, store ${perStore.padStart(7)} B each${records}`);
}

async function names({ hf }: Store, make: (name: string) => object): Promise<void> {
  for (let i = 0; i < count; i++) {
    make(`name ${i}`);
    // As in an application that does something in between: what a turn has made is kept until its end.
    if (i % 1_000 === 0) await hf.ping();
  }
}

async function bounds(store: Store): Promise<void> {
  const { hf, name } = store;
  console.log(`\n${name}: what stays of each of ${count}`);
  await each(store, "names of state stores", () => names(store, (one) => hf.state(one)));
  await each(store, "names of caches, made with a ttl", () => names(store, (one) => hf.cache(one, { ttl: "5m" })));
  await each(store, "names of locks", () => names(store, (one) => hf.lock(one)));
  const lock = hf.lock("bounds");
  await each(store, "semaphores", () => names(store, (one) => lock.semaphore(one, { permits: 3 })));
  await each(store, "lock keys, released", () => inFlight(count, 256, (i) => lock.run(`key ${i}`, () => undefined)));
  const marked = hf.cache("marked", { ttl: "5m", timeout: "60s" });
  await each(store, "cache keys, deleted: a mark for ten minutes", () =>
    inFlight(count, 256, (i) => marked.delete(`key ${i}`)),
  );
  const tagged = hf.cache("tagged", { ttl: "5m", timeout: "60s" });
  await each(store, "tags, invalidated: a version for a day", () =>
    // Each call gives the cache's epoch a new version as well: a hundred tags go with one.
    inFlight(count / 100, 1, (i) => tagged.invalidateTags(Array.from({ length: 100 }, (_, j) => `tag ${i} ${j}`))),
  );
  const cleared = hf.cache("cleared", { ttl: "never", timeout: "60s" });
  for (let round = 1; round <= 5; round++) {
    const fill = async (): Promise<void> => {
      await inFlight(count / 5, 256, (i) => cleared.set(`round ${round} key ${i}`, "x".repeat(200), { tags: ["t"] }));
      if (round % 2 === 0) await cleared.invalidateTags(["t"]);
      else await cleared.clear();
    };
    await each(store, `cache keys that never end, cleared, round ${round}`, fill, 15_000);
  }
}

async function signals(hf: Holdfast): Promise<void> {
  const cache = hf.cache<number>("signals", { ttl: "1h", maxItems: 100_000 });
  const state = hf.state<number>("signals");
  const width = 16_000;
  let turn = 0;
  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const works: Readonly<Record<string, (i: number, signal: AbortSignal | undefined) => Promise<unknown>>> = {
    "getOrSet that waits for one load": (i, signal) =>
      cache.getOrSet(`one ${turn}`, async () => (await nextTurn(), i), { signal }),
    "upsert with a function that waits": (i, signal) =>
      state.upsert(`key ${i}`, async () => (await nextTurn(), i), { signal }),
  };
  for (const [name, work] of Object.entries(works)) {
    const all = (signal: AbortSignal | undefined) => async (operations: number) => {
      turn++;
      await Promise.all(Array.from({ length: operations }, (_, i) => work(i, signal)));
    };
    const contenders = [
      { name: "under one signal", run: all(new AbortController().signal) },
      { name: "without", run: all(undefined) },
    ];
    const seconds = await timed(contenders, { operations: width, rounds: 5 });
    report(`${width} calls at once: ${name}`, contenders, width, seconds);
  }
}

const memory = await connect("memory:", { service: "bench", timeout: "60s" });
await signals(memory);
await bounds({ name: "memory", hf: memory, taken: async () => ({ bytes: 0 }) });
await memory.close();

const directory = mkdtempSync(join(tmpdir(), "holdfast-bounds-"));
const size = (): number =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0);
const file = await connect(`file:${directory}`, { service: "bench", timeout: "60s" });
await bounds({ name: "file", hf: file, taken: async () => ({ bytes: size() }) });
await file.close();
rmSync(directory, { recursive: true });

const server = await startServer();
const client = createClient({ url: server.url });
await client.connect();
const redis = await connect(`${server.url}?settings=warn`, { service: "bench", timeout: "60s" });
const used = async (): Promise<{ bytes: number; records: number }> => {
  const info = await client.info("memory");
  return { bytes: Number(/used_memory:(\d+)/.exec(info)?.[1]), records: await client.dbSize() };
};
await bounds({ name: "redis (the store's bytes are the server's)", hf: redis, taken: used });
await redis.close();
client.destroy();
await server.stop();

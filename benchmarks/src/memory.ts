// Memory beside lru-cache, keyv and a bare Map. Run with --expose-gc.
import { connect } from "holdfast";
import Keyv from "keyv-6";
import { LRUCache } from "lru-cache";
import { compare, order } from "./measure.ts";

const count = 1_000;
const keys = Array.from({ length: count }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % count] as string;

const hf = await connect("memory:", { service: "bench" });
const state = hf.state<typeof order>("orders");
const cache = hf.cache<typeof order>("orders", { ttl: "5m", isolate: "reference" });
const keyv = new Keyv();
const texts = new Map<string, string>();
const lru = new LRUCache<string, typeof order>({ max: 10_000, ttl: 300_000, fetchMethod: () => order });

for (const key of keys) {
  await state.save(key, order);
  await cache.set(key, order);
  await keyv.set(key, order);
  texts.set(key, JSON.stringify(order));
  lru.set(key, order);
}

await compare(
  "state: load of a 1 kB record, one after the other",
  [
    {
      name: "holdfast memory load",
      run: async (n) => {
        for (let i = 0; i < n; i++) await state.load(keyAt(i));
      },
    },
    {
      name: "raw limit: Map.get and JSON.parse, awaited",
      run: async (n) => {
        for (let i = 0; i < n; i++) await Promise.resolve(JSON.parse(texts.get(keyAt(i)) as string));
      },
    },
    {
      name: "keyv get",
      run: async (n) => {
        for (let i = 0; i < n; i++) await keyv.get(keyAt(i));
      },
    },
  ],
  { operations: 50_000 },
);

await compare(
  "state: save of a 1 kB record, one after the other",
  [
    {
      name: "holdfast memory save",
      run: async (n) => {
        for (let i = 0; i < n; i++) await state.save(keyAt(i), order);
      },
    },
    {
      name: "raw limit: JSON.stringify and Map.set, awaited",
      run: async (n) => {
        for (let i = 0; i < n; i++) await Promise.resolve(texts.set(keyAt(i), JSON.stringify(order)));
      },
    },
    {
      name: "keyv set",
      run: async (n) => {
        for (let i = 0; i < n; i++) await keyv.set(keyAt(i), order);
      },
    },
  ],
  { operations: 50_000 },
);

await compare(
  "cache: a hit of getOrSet",
  [
    {
      name: "holdfast memory getOrSet",
      run: async (n) => {
        for (let i = 0; i < n; i++) await cache.getOrSet(keyAt(i), () => order);
      },
    },
    {
      name: "lru-cache fetch",
      run: async (n) => {
        for (let i = 0; i < n; i++) await lru.fetch(keyAt(i));
      },
    },
    {
      name: "raw limit: lru-cache get, not awaited",
      run: (n) => {
        for (let i = 0; i < n; i++) lru.get(keyAt(i));
      },
    },
  ],
  { operations: 100_000 },
);
await hf.close();

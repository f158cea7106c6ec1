// LMDB state beside raw `lmdb` with the same codec, and SQLite. Run with --expose-gc.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "holdfast";
import { open } from "lmdb";
import { compare, inFlight, longestTurn, order } from "./measure.ts";
import { openSqlite } from "./sqlite.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const count = 1_000;
const keys = Array.from({ length: count }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % count] as string;
const variants = [order, { ...order, paid: true }, { ...order, notes: "ring twice, please" }];
let written = 0;
const next = (): typeof order => variants[written++ % variants.length] as typeof order;

const hf = await connect(`file:${join(directory, "holdfast")}`, { service: "bench", timeout: "60s" });
const state = hf.state<typeof order>("orders");
const raw = open<string, string>({ path: join(directory, "raw"), encoding: "string" });
const sqlite = await openSqlite(join(directory, "sqlite.db"), JSON.stringify(order));

for (const key of keys) {
  await state.save(key, order);
  await raw.put(key, JSON.stringify(order));
}

await compare(
  "load of a 1 kB record, one after the other",
  [
    {
      name: "holdfast lmdb load",
      run: async (n) => {
        for (let i = 0; i < n; i++) await state.load(keyAt(i));
      },
    },
    {
      name: "raw limit: lmdb get, fresh snapshot, JSON.parse",
      run: async (n) => {
        for (let i = 0; i < n; i++) {
          raw.resetReadTxn();
          await Promise.resolve(JSON.parse(raw.get(keyAt(i)) as string));
        }
      },
    },
    { name: "better-sqlite3 SELECT and JSON.parse", run: (n) => sqlite.load(n) },
  ],
  { operations: 40_000 },
);

for (const [width, operations] of [
  [1, 400],
  [64, 20_000],
  [1_000, 60_000],
] as const) {
  await compare(
    `durable save of a 1 kB record, ${width} in flight`,
    [
      { name: "holdfast lmdb save", run: (n) => inFlight(n, width, (i) => state.save(keyAt(i), next())) },
      {
        name: "raw limit: lmdb put, flushed to disk",
        run: (n) =>
          inFlight(n, width, async (i) => {
            await raw.put(keyAt(i), JSON.stringify(next()));
            await raw.flushed;
          }),
      },
      ...(width === 1
        ? [{ name: "better-sqlite3 upsert, synchronous = FULL", run: (n: number) => sqlite.save(n) }]
        : []),
    ],
    { operations, rounds: 5 },
  );
}

// The longest turn of the event loop while 1,000 saves are on their way: at first, when the heap grows, and then three times each.
const contenders = [
  { name: "holdfast lmdb", save: (i: number): Promise<unknown> => state.save(keyAt(i), next()) },
  {
    name: "raw limit: lmdb on this thread",
    save: async (i: number): Promise<void> => {
      await raw.put(keyAt(i), JSON.stringify(next()));
      await raw.flushed;
    },
  },
];
console.log("\nlongest pause of the event loop, 1,000 durable saves in flight, 100,000 saves");
for (const { name, save } of contenders) {
  const pauses: string[] = [];
  for (let round = 0; round < 4; round++) {
    pauses.push(`${(await longestTurn(() => inFlight(100_000, 1_000, save))).toFixed(2)} ms`);
  }
  const [first, ...later] = pauses;
  console.log(`  ${name.padEnd(44)} ${later.join(", ")}; while the heap grew ${first}`);
}

await hf.close();
await raw.close();
await sqlite.close();
rmSync(directory, { recursive: true });

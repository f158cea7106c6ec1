// LMDB state beside raw `lmdb` with the same codec, and SQLite. Run with --expose-gc.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { connect } from "holdfast";
import { open } from "lmdb";
import { compare, inFlight, order } from "./measure.ts";
import { openSqlite } from "./sqlite.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const count = 1_000;
const keys = Array.from({ length: count }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % count] as string;
// Never the same value twice in a row: SQLite writes nothing for a row that stays as it is.
const variants = [order, { ...order, paid: true }, { ...order, notes: "ring twice, please" }];
let written = 0;
const next = (): typeof order => variants[written++ % variants.length] as typeof order;

const hf = await connect(`file:${join(directory, "holdfast")}`, { service: "bench", timeout: "60s" });
const state = hf.state<typeof order>("orders");
const raw = open<string, string>({ path: join(directory, "raw"), encoding: "string" });
const { name: sqliteName, sqlite } = await openSqlite(join(directory, "sqlite.db"));
sqlite.exec(
  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
);
const select = sqlite.prepare("SELECT value FROM kv WHERE key = ?");
const upsert = sqlite.prepare("INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");

for (const key of keys) {
  await state.save(key, order);
  await raw.put(key, JSON.stringify(order));
  upsert.run(key, JSON.stringify(order));
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
    {
      name: `${sqliteName} SELECT and JSON.parse`,
      run: async (n) => {
        for (let i = 0; i < n; i++) await Promise.resolve(JSON.parse(select.get(keyAt(i))?.["value"] as string));
      },
    },
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
        ? [
            {
              name: `${sqliteName} upsert, synchronous = FULL`,
              run: (n: number) => {
                for (let i = 0; i < n; i++) upsert.run(keyAt(i), JSON.stringify(next()));
              },
            },
          ]
        : []),
    ],
    { operations, rounds: 5 },
  );
}

// The longest pause of the event loop while 1,000 saves are on their way.
const delays = monitorEventLoopDelay({ resolution: 1 });
await inFlight(20_000, 1_000, (i) => state.save(keyAt(i), next()));
delays.enable();
await inFlight(100_000, 1_000, (i) => state.save(keyAt(i), next()));
delays.disable();
console.log(
  `\nevent loop under full load of saves: p99 ${(delays.percentile(99) / 1e6 - 1).toFixed(2)} ms, longest pause ${(delays.max / 1e6 - 1).toFixed(2)} ms`,
);

await hf.close();
await raw.close();
sqlite.close();
rmSync(directory, { recursive: true });

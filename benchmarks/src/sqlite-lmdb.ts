// SQLite beside LMDB, and beside Node's own driver with the same codec. Run with --expose-gc.
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Holdfast } from "holdfast";
import { compare, inFlight, longestTurn, order, type Contender } from "./measure.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const count = 1_000;
const keys = Array.from({ length: count }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % count] as string;
let written = 0;
/** Never the same again: SQLite writes nothing for what is there already. */
const next = (): typeof order => ({ ...order, notes: `ring ${written++} times, please` });

const options = { service: "bench", timeout: "60s" } as const;
const stores: readonly (readonly [name: string, hf: Holdfast])[] = [
  ["holdfast sqlite", await connect(`sqlite:${join(directory, "holdfast.db")}`, options)],
  ["holdfast lmdb", await connect(`file:${join(directory, "holdfast")}`, options)],
];
const raw = new DatabaseSync(join(directory, "raw.db"));
raw.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
raw.exec("CREATE TABLE orders (key TEXT PRIMARY KEY, value TEXT) STRICT");
const get = raw.prepare("SELECT value FROM orders WHERE key = ?");
const put = raw.prepare("INSERT INTO orders VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");

for (const key of keys) {
  for (const [, hf] of stores) await hf.state<typeof order>("orders").save(key, order);
  put.run(key, JSON.stringify(order));
}

/** What both stores do, in the same way. */
function each(what: string, run: (hf: Holdfast) => Contender["run"]): Contender[] {
  return stores.map(([name, hf]) => ({ name: `${name} ${what}`, run: run(hf) }));
}

await compare(
  "load of a 1 kB record, one after the other",
  [
    ...each("load", (hf) => {
      const state = hf.state<typeof order>("orders");
      return async (n) => {
        for (let i = 0; i < n; i++) await state.load(keyAt(i));
      };
    }),
    {
      name: "raw limit: node:sqlite SELECT, JSON.parse",
      run: async (n) => {
        for (let i = 0; i < n; i++) await Promise.resolve(JSON.parse(get.get(keyAt(i))?.["value"] as string));
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
      ...each("save", (hf) => {
        const state = hf.state<typeof order>("orders");
        return (n) => inFlight(n, width, (i) => state.save(keyAt(i), next()));
      }),
      ...(width === 1
        ? [
            {
              name: "raw limit: node:sqlite upsert on this thread",
              run: (n: number) => {
                for (let i = 0; i < n; i++) put.run(keyAt(i), JSON.stringify(next()));
              },
            },
          ]
        : []),
    ],
    { operations, rounds: 5 },
  );
}

for (const [width, operations] of [
  [1, 200],
  [64, 8_000],
] as const) {
  await compare(
    `acquire and release of a free lock, ${width} in flight`,
    each("lock", (hf) => {
      const lock = hf.lock("work");
      return (n) =>
        inFlight(n, width, async (i) => {
          const lease = await lock.acquire(keyAt(i), { ttl: "30s" });
          await lease.release();
        });
    }),
    { operations, rounds: 5 },
  );
}

console.log("\nlongest pause of the event loop, 1,000 durable saves in flight, 100,000 saves");
for (const [name, hf] of stores) {
  const state = hf.state<typeof order>("orders");
  const pauses: string[] = [];
  for (let round = 0; round < 3; round++) {
    const longest = await longestTurn(() => inFlight(100_000, 1_000, (i) => state.save(keyAt(i), next())));
    pauses.push(`${longest.toFixed(2)} ms`);
  }
  console.log(`  ${name.padEnd(44)} ${pauses.join(", ")}`);
}

for (const [, hf] of stores) await hf.close();
raw.close();
rmSync(directory, { recursive: true });

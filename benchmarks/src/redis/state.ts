import { compare, inFlight, report, timed } from "../measure.ts";
import { answer, withChildren } from "../answer.ts";
import { connectOwn } from "./clients.ts";
import type { Start, Work } from "./state-child.ts";

const COUNT = 10_000;
const keys = Array.from({ length: COUNT }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % COUNT] as string;

/** Operations of a round, by how many are in flight. */
const widths = [
  [1, 3_000],
  [64, 50_000],
  [1_024, 120_000],
] as const;

/** Sizes of what is loaded and saved, as JSON. */
const sizes = { account: "13 bytes", session: "205 bytes", order: "950 bytes" } as const;

const clients = ["holdfast", "raw"] as const;
const names = {
  holdfast: { load: "holdfast load", save: "holdfast save" },
  raw: { load: "raw limit: GET and JSON.parse", save: "raw limit: JSON.stringify and SET" },
} as const;

/** Pairs of processes, one after the other. */
const PAIRS = 5;

/** Every case there is: in this order in each process, small values and few calls first. */
const cases = (Object.keys(sizes) as (keyof typeof sizes)[]).flatMap((value) =>
  widths.flatMap(([width, operations]) =>
    (["load", "save"] as const).map((does) => ({ does, value, width, operations })),
  ),
);

/**
 * load and save beside the raw client that does the same to the same values. Each in a process of its own, as in a service: in one
 * process they would share a heap, and what the compiler has learned of the driver that both use. And in several, for V8 settles
 * differently in each: the raw client runs at half its speed for long where a burst survived a collection.
 */
export async function state(url: string, scale: number): Promise<void> {
  const seconds = cases.map(() => clients.map(() => [] as number[]));
  for (let pair = 0; pair < PAIRS; pair++) await runPair(url, scale, seconds);
  for (const [i, { does, value, width, operations }] of cases.entries()) {
    const contenders = clients.map((client) => ({ name: names[client][does] }));
    const title = `${does} of ${sizes[value]}, ${width} in flight`;
    report(title, contenders, operations * scale, seconds[i] as number[][]);
  }
}

async function runPair(url: string, scale: number, seconds: readonly number[][][]): Promise<void> {
  await withChildren("redis/state-child.ts", clients, async (children) => {
    await Promise.all(children.map(async ({ name: client, child }) => answer(child, { url, client } satisfies Start)));
    for (const [i, { does, value, width, operations }] of cases.entries()) {
      const contenders = children.map(({ name, child }) => ({
        name: names[name][does],
        run: async (n: number) => void (await answer(child, { does, value, width, operations: n } satisfies Work)),
      }));
      const times = await timed(contenders, { operations: operations * scale, rounds: 2 });
      for (const [of, list] of times.entries()) seconds[i]?.[of]?.push(...list);
    }
    const end: Work = { does: "load", value: "order", width: 1, operations: 0 };
    await Promise.all(children.map(async ({ child }) => answer(child, end)));
  });
}

/** What has no raw counterpart: figures only. */
export async function updates(url: string, scale: number): Promise<void> {
  const hf = await connectOwn(url);
  const accounts = hf.state<{ balance: number }>("accounts");
  await Promise.all(keys.map(async (key) => accounts.save(key, { balance: 0 })));
  const credit = (account: { balance: number }): { balance: number } => ({ balance: account.balance + 1 });
  const cases = [
    ["update, 64 in flight, 10,000 keys", 30_000, (i: number) => accounts.update(keyAt(i), credit)],
    ["update, 64 in flight, one key", 10_000, () => accounts.update("order-0", credit)],
    [
      "transact, 64 in flight, from one of 10,000 keys to another",
      10_000,
      (i: number) =>
        hf.transact(async (tx) => {
          const from = keyAt(i * 7);
          const to = keyAt(i * 7 + 3);
          await tx.update(accounts, from, ({ balance }) => ({ balance: balance - 1 }));
          await tx.update(accounts, to, credit);
        }),
    ],
  ] as const;
  for (const [title, operations, each] of cases) {
    await compare(title, [{ name: "holdfast", run: (n) => inFlight(n, 64, each) }], {
      operations: operations * scale,
      rounds: 3,
    });
  }
  await hf.close();
}

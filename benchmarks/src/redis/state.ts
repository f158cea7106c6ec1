import { compare, inFlight, order } from "../measure.ts";
import { connectOwn, connectRaw } from "./clients.ts";

// More keys than calls in flight: equal reads would be answered together, and writes of one key wait for each other.
const COUNT = 10_000;
const keys = Array.from({ length: COUNT }, (_, i) => `order-${i}`);
const keyAt = (i: number): string => keys[i % COUNT] as string;

/** A session of about 200 bytes. */
const session = {
  id: "session-4711",
  user: { id: 815, name: "Ann Example", email: "ann@example.org" },
  roles: ["reader", "editor"],
  seen: "2026-01-01T00:00:00.000Z",
  theme: "dark",
  csrf: "f3b1c2d4e5f60718293a4b5c6d7e8f90",
};

/** Operations of a round, by how many are in flight. */
const widths = [
  [1, 8_000],
  [64, 100_000],
  [1_024, 250_000],
] as const;

/** load and save beside the raw client that does the same to the same values. */
export async function state(url: string, scale: number): Promise<void> {
  const hf = await connectOwn(url);
  const raw = await connectRaw(url);
  for (const value of [session, order]) {
    const size = `${JSON.stringify(value).length} bytes`;
    const store = hf.state<unknown>(`values-of-${size.replace(" ", "-")}`);
    const text = JSON.stringify(value);
    await Promise.all(keys.flatMap((key): Promise<unknown>[] => [store.save(key, value), raw.set(key, text)]));
    for (const [width, operations] of widths) {
      await compare(
        `load of ${size}, ${width} in flight`,
        [
          { name: "holdfast load", run: (n) => inFlight(n, width, (i) => store.load(keyAt(i))) },
          {
            name: "raw limit: GET and JSON.parse",
            run: (n) => inFlight(n, width, async (i) => JSON.parse((await raw.get(keyAt(i))) as string) as unknown),
          },
        ],
        { operations: operations * scale, rounds: 5 },
      );
      await compare(
        `save of ${size}, ${width} in flight`,
        [
          { name: "holdfast save", run: (n) => inFlight(n, width, (i) => store.save(keyAt(i), value)) },
          {
            name: "raw limit: JSON.stringify and SET",
            run: (n) => inFlight(n, width, (i) => raw.set(keyAt(i), JSON.stringify(value))),
          },
        ],
        { operations: operations * scale, rounds: 5 },
      );
    }
  }
  await raw.close();
  await hf.close();
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

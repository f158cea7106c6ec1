import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { connect, isHoldfastError, type Holdfast } from "../../../src/entries/index.ts";
import { Random } from "../../chaos/support/random.ts";

export interface TallyOptions {
  /** Where the callers connect; the sums are read at `readUrl`, which is the same unless told. */
  readonly url: string;
  readonly readUrl?: string;
  /** ms that a call may take. */
  readonly timeout: number;
  readonly seed?: number;
}

const counters = 4;
const accounts = 4;
const balance = 1_000;

/** What one record was increased by: for certain, and perhaps. */
interface Sum {
  certain: number;
  perhaps: number;
}

/**
 * Two instances count in records, and move units from one account to another, while something is done to their store. Each
 * increase that was acknowledged is there at the end, none is there twice, and no unit was lost or made on its way. `work` can
 * ask how many were acknowledged.
 */
export async function tallyWhile(
  t: TestContext,
  { url, readUrl = url, timeout, seed = 1 }: TallyOptions,
  work: (acknowledged: () => number) => Promise<void>,
): Promise<void> {
  const options = { service: "tally", timeout } as const;
  const instances = await Promise.all([connect(url, options), connect(url, options)]);
  const sums = new Map<string, Sum>();
  const acknowledged = (): number => [...sums.values()].reduce((total, { certain }) => total + certain, 0);
  const random = new Random(seed);
  let done = false;
  try {
    await Promise.all(accountNames().map(async (key) => instances[0].state<number>("accounts").save(key, balance)));
    const callers = instances.flatMap((hf) => [
      ...Array.from({ length: 6 }, (_, i) => repeat(`c${i % counters}`, async (key) => increase(hf, key))),
      ...Array.from({ length: 3 }, () => repeat("moves", async (key) => move(hf, key, random))),
    ]);
    try {
      await work(acknowledged);
    } finally {
      done = true;
    }
    await Promise.all(callers);
  } finally {
    await Promise.all(instances.map(async (hf) => hf.close()));
  }

  const reader = await connect(readUrl, { ...options, timeout: "20s" });
  try {
    const counts = reader.state<number>("counts");
    const found = new Map<string, number>();
    for (const key of sums.keys()) found.set(key, (await counts.load(key)) ?? 0);
    const all = [...sums.values()];
    const certain = acknowledged();
    t.diagnostic(`${certain} acknowledged, ${all.reduce((total, sum) => total + sum.perhaps, 0)} unknown`);
    assert.ok(certain > 20, "the callers did nothing");
    for (const [key, sum] of sums) {
      const count = found.get(key) ?? 0;
      assert.ok(count >= sum.certain, `${key}: ${sum.certain} were acknowledged, ${count} are there`);
      assert.ok(count <= sum.certain + sum.perhaps, `${key}: ${count} are there, of ${sum.certain} and ${sum.perhaps}`);
    }
    const balances = await reader.state<number>("accounts").loadMany(accountNames());
    assert.equal(
      [...balances.values()].reduce((total, one) => total + one, 0),
      accounts * balance,
    );
  } finally {
    await reader.close();
  }

  async function repeat(key: string, call: (key: string) => Promise<unknown>): Promise<void> {
    const sum = sums.get(key) ?? { certain: 0, perhaps: 0 };
    sums.set(key, sum);
    while (!done) {
      try {
        await call(key);
        sum.certain++;
      } catch (error) {
        if (isHoldfastError(error, "INDETERMINATE")) sum.perhaps++;
        else if (!isHoldfastError(error, "UNAVAILABLE") && !isHoldfastError(error, "CONFLICT")) throw error;
      }
    }
  }
}

function accountNames(): string[] {
  return Array.from({ length: accounts }, (_, i) => `a${i}`);
}

async function increase(hf: Holdfast, key: string): Promise<void> {
  await hf.state<number>("counts").upsert(key, (count) => (count ?? 0) + 1);
}

async function move(hf: Holdfast, key: string, random: Random): Promise<void> {
  const store = hf.state<number>("accounts");
  const counts = hf.state<number>("counts");
  const from = random.int(0, accounts);
  const to = (from + random.int(1, accounts)) % accounts;
  await hf.transact(async (tx) => {
    await tx.update(store, `a${from}`, (units) => units - 1);
    await tx.update(store, `a${to}`, (units) => units + 1);
    await tx.upsert(counts, key, (count) => (count ?? 0) + 1);
  });
}

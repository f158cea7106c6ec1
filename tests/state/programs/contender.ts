// Changes what others change as well. Told by messages; tells what it counted.
import { setImmediate as turn } from "node:timers/promises";
import { connect } from "../../../src/entries/index.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";

/** What a contender does. */
export type Order =
  | { readonly does: "upserts"; readonly count: number }
  | { readonly does: "transfers"; readonly count: number; readonly width: number }
  /** Takes a turn and keeps it until it is killed. */
  | { readonly does: "hang" };

/** What became of it. */
export interface Done {
  readonly done: number;
  /** Codes or messages of errors. */
  readonly failed: readonly string[];
}

// Beside many others a process may take longer than the default until its driver is loaded and the server has answered.
const hf = await connect(process.argv[2] as string, { service: "crowd", timeout: "30s" });
const numbers = hf.state<number>("numbers");
await numbers.load("ready");

process.on("message", (order) => void obey(order as Order));
process.send?.("ready");

async function obey(order: Order): Promise<void> {
  if (order.does === "upserts")
    return answer(order.count, order.count, () => numbers.upsert("hot", (n) => (n ?? 0) + 1));
  if (order.does === "transfers") return answer(order.count, order.width, transfer);
  let runs = 0;
  await hf.transact(async (tx) => {
    const n = (await tx.load(numbers, "{t}0")) ?? 0;
    if (++runs > 2) {
      process.send?.("hangs");
      await new Promise(() => undefined);
    }
    await numbers.save("{t}0", n);
    tx.save(numbers, "{t}0", n);
  });
}

async function transfer(i: number): Promise<void> {
  const [from, to] = [`{t}${i % 10}`, `{t}${(i + 1 + (i % 7)) % 10}`];
  await hf.transact(async (tx) => {
    const [x, y] = await Promise.all([tx.load(numbers, from), tx.load(numbers, to)]);
    if (i % 5 === 0) await turn();
    tx.save(numbers, from, (x ?? 0) - 1);
    tx.save(numbers, to, (y ?? 0) + 1);
    await tx.upsert(numbers, "{t}count", (n) => (n ?? 0) + 1);
  });
}

async function answer(count: number, width: number, each: (i: number) => Promise<unknown>): Promise<void> {
  const failed: string[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      try {
        await each(next++);
        done++;
      } catch (error) {
        failed.push(isHoldfastError(error) ? `${error.code}: ${error.message}` : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  process.send?.({ done, failed } satisfies Done);
}

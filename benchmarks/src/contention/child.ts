// A process that contends with others for the same records: started by hot.ts and transact.ts, told what to do by messages.
import { connect, type Holdfast } from "holdfast";
import { peerOf, type Transfer } from "./peers.ts";

/** What a child is told first. */
export interface Start {
  /** Where Holdfast keeps its records, or the peer its own. */
  readonly url: string;
  readonly who: "holdfast" | "loop";
}

/** What it is told then. */
export type Work =
  | { readonly does: "upserts"; readonly count: number }
  | { readonly does: "transfers"; readonly width: number; readonly forMs: number; readonly accounts: readonly string[] }
  | { readonly does: "end" };

/** What became of it. Times in ms. */
export interface Told {
  readonly tookMs: number;
  readonly latencies: readonly number[];
  /** How many failed, by what they failed with. */
  readonly failed: Readonly<Record<string, number>>;
}

process.once("message", (start) => void prepare(start as Start));

async function prepare({ url, who }: Start): Promise<void> {
  const hf = who === "holdfast" ? await connect(url, { service: "bench" }) : undefined;
  const peer = hf ? undefined : await peerOf(url);
  process.on("message", (work) => void run(work as Work));
  process.send?.("ready");

  async function run(work: Work): Promise<void> {
    let told: Told | undefined;
    if (work.does === "upserts") told = await upserts(hf as Holdfast, work.count);
    else if (work.does === "transfers") told = await transfers(hf ? transferOf(hf) : (peer as Transfer), work);
    else await Promise.all([hf?.close(), peer?.close()]);
    process.send?.(told ?? "done", () => {
      if (!told) process.exit(0);
    });
  }
}

/** Adds to one counter, `count` times at once. */
async function upserts(hf: Holdfast, count: number): Promise<Told> {
  const counters = hf.state<number>("counters");
  return timed(count, count, Infinity, () => counters.upsert("hot", (n) => (n ?? 0) + 1));
}

function transfers(
  transfer: Transfer,
  { width, forMs, accounts }: Extract<Work, { does: "transfers" }>,
): Promise<Told> {
  return timed(Infinity, width, forMs, () => {
    const from = Math.floor(Math.random() * accounts.length);
    const to = (from + 1 + Math.floor(Math.random() * (accounts.length - 1))) % accounts.length;
    return transfer.run(accounts[from] as string, accounts[to] as string);
  });
}

function transferOf(hf: Holdfast): Transfer {
  const accounts = hf.state<{ balance: number }>("accounts");
  return {
    run: async (from, to) =>
      hf.transact(async (tx) => {
        const [x, y] = await Promise.all([tx.load(accounts, from), tx.load(accounts, to)]);
        tx.save(accounts, from, { balance: (x?.balance ?? 0) - 1 });
        tx.save(accounts, to, { balance: (y?.balance ?? 0) + 1 });
      }),
    close: async () => hf.close(),
  };
}

/** `width` at any time, until `count` have begun or `forMs` has passed. */
async function timed(count: number, width: number, forMs: number, each: () => Promise<unknown>): Promise<Told> {
  const latencies: number[] = [];
  const failed: Record<string, number> = {};
  const began = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && performance.now() - began < forMs) {
      next++;
      const start = performance.now();
      try {
        await each();
        latencies.push(performance.now() - start);
      } catch (error) {
        const { code } = error as { code?: string };
        failed[code ?? String(error)] = (failed[code ?? String(error)] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return { tookMs: performance.now() - began, latencies, failed };
}

import { connect } from "holdfast";
import { answer, withChildren } from "../answer.ts";
import type { Start, Told, Work } from "./child.ts";
import { figuresOf, line, median, type Figures } from "./figures.ts";
import { peerOf } from "./peers.ts";

const ACCOUNTS = Array.from({ length: 10 }, (_, i) => `account-${i}`);
const WIDTH = 25;

/** Transfers between 10 accounts, 2 processes with 25 in flight each, beside a loop as one writes it by hand. */
export async function transactions(
  store: string,
  own: string,
  loop: string,
  rounds: number,
  forMs: number,
): Promise<void> {
  console.log(`\n${store}: transfers between ${ACCOUNTS.length} accounts, 2 processes, ${WIDTH} in flight in each`);
  const hf = await connect(own, { service: "bench" });
  const accounts = hf.state<{ balance: number }>("accounts");
  const names = ["holdfast", "loop", "holdfast ", "loop "] as const;
  await withChildren("contention/child.ts", names, async (children) => {
    const of = (who: "holdfast" | "loop") => children.filter(({ name }) => name.trim() === who);
    for (const { name, child } of children) {
      const who = name.trim() as "holdfast" | "loop";
      await answer(child, { url: who === "holdfast" ? own : loop, who } satisfies Start);
    }
    const round = async (who: "holdfast" | "loop"): Promise<Figures> => {
      const work: Work = { does: "transfers", width: WIDTH, forMs, accounts: ACCOUNTS };
      return figuresOf((await Promise.all(of(who).map(async ({ child }) => answer(child, work)))) as Told[]);
    };
    const ratios: number[] = [];
    for (let i = 0; i <= rounds; i++) {
      const [mine, other] = [await round("holdfast"), await round("loop")];
      if (i === 0) continue; // warms up
      console.log(line("holdfast", mine));
      console.log(line("loop with random pauses", other));
      ratios.push(mine.perSecond / other.perSecond);
    }
    console.log(
      `  holdfast is ${median(ratios).toFixed(2)}x of the loop (${ratios.map((one) => one.toFixed(2)).join(", ")})`,
    );
    await Promise.all(children.map(async ({ child }) => answer(child, { does: "end" } satisfies Work)));
  });
  const left = [...(await accounts.loadMany(ACCOUNTS)).values()].reduce((sum, { balance }) => sum + balance, 0);
  console.log(`  the accounts hold ${left} together, as they must hold 0`);
  await hf.close();
  const peer = await peerOf(loop);
  await peer.close();
}

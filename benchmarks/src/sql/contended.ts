import { answer, withChildren } from "../answer.ts";
import { format } from "../measure.ts";
import type { Seen, Start, Window } from "./lock-child.ts";
import { lockPeers } from "./lock-peers.ts";

const PROCESSES = 4;
const WORKERS = 64;
const ROUNDS = 5;
const WARM_MS = 1_500;
let drawn = 0;

/** One lock that everybody wants: 4 processes of 64 workers that do nothing under it. */
export async function contended(url: string, measureMs: number): Promise<void> {
  const peers = Object.keys(lockPeers);
  const rates = peers.map(() => [] as number[]);
  const last = peers.map((): Seen[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, peer] of peers.entries()) {
      const seen = await contend({ url, peer, key: `contended-${drawn++}`, workers: WORKERS }, measureMs);
      rates[i]?.push((seen.reduce((sum, { holds }) => sum + holds, 0) / measureMs) * 1_000);
      last[i] = seen;
    }
  }
  const seconds = measureMs / 1_000;
  console.log(`\none lock, ${PROCESSES} processes of ${WORKERS} workers; median of ${ROUNDS} rounds of ${seconds} s`);
  for (const [i, peer] of peers.entries()) {
    const ratios = rates[0]?.map((own, round) => own / Math.max(1, rates[i]?.[round] ?? 0)) ?? [];
    const waits = (last[i] ?? []).flatMap((of) => [...of.waits]).toSorted((a, b) => a - b);
    const p99 = waits[Math.floor(waits.length * 0.99)] ?? 0;
    const counts = (last[i] ?? []).map(({ holds }) => holds);
    const share = Math.max(...counts) / Math.max(1, Math.min(...counts));
    const beside = i === 0 ? "" : `   ${peers[0]} is ${median(ratios).toFixed(1)}x of it`;
    console.log(
      `  ${peer.padEnd(26)} ${format(median(rates[i] ?? [])).padStart(8)}/s   ` +
        `wait p99 ${format(p99).padStart(8)} ms   share ${share.toFixed(2)}x${beside}`,
    );
  }
}

async function contend(start: Start, measureMs: number): Promise<Seen[]> {
  const names = Array.from({ length: PROCESSES }, (_, i) => `contender ${i}`);
  return withChildren("sql/lock-child.ts", names, async (children) => {
    await Promise.all(children.map(async ({ child }) => answer(child, start)));
    const window: Window = { warmMs: WARM_MS, measureMs };
    return Promise.all(children.map(async ({ child }) => answer(child, window) as Promise<Seen>));
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

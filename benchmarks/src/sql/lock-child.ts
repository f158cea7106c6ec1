// One process of the contended lock: workers that take the lock, do nothing and give it back. Started by contended.ts.
import { lockPeers } from "./lock-peers.ts";

/** What a child is told first. */
export interface Start {
  readonly url: string;
  readonly peer: string;
  readonly key: string;
  readonly workers: number;
}

/** What is measured, once everybody has warmed up. */
export interface Window {
  readonly warmMs: number;
  readonly measureMs: number;
}

/** What it saw: holds in the time measured, and how long each was waited for, in ms. */
export interface Seen {
  readonly holds: number;
  readonly waits: Float64Array;
}

process.once("message", (start) => void prepare(start as Start));

async function prepare({ url, peer: name, key, workers }: Start): Promise<void> {
  const make = lockPeers[name];
  if (make === undefined) throw new Error(`no such lock: ${name}`);
  const peer = await make(url);
  await (
    await peer.acquire(`${key}-warm-${process.pid}`)
  )();
  process.once("message", (window) => void measure(window as Window));
  process.send?.("ready");

  async function measure({ warmMs, measureMs }: Window): Promise<void> {
    const waits: number[] = [];
    const from = performance.now() + warmMs;
    const until = from + measureMs;
    const worker = async (): Promise<void> => {
      for (let start = performance.now(); start < until; start = performance.now()) {
        const release = await peer.acquire(key);
        const begin = performance.now();
        if (begin >= from && begin < until) waits.push(begin - start);
        await release();
      }
    };
    void Promise.all(Array.from({ length: workers }, worker));
    await new Promise((resolve) => setTimeout(resolve, warmMs + measureMs));
    process.send?.({ holds: waits.length, waits: Float64Array.from(waits) } satisfies Seen, () => process.exit(0));
  }
}

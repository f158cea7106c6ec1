// One process of the contended lock: workers that take the lock, do nothing and give it back, until told to stop.
// Started by contended.ts, which says what to do and is told what was seen.
import { connectRaw } from "./clients.ts";
import { lockPeers, type Retry } from "./peers.ts";

/** What a contender is to do. */
export interface Task {
  readonly url: string;
  readonly peer: string;
  readonly retry: Retry;
  readonly key: string;
  readonly workers: number;
  /** Whether a counter in the server is read and written under the lock, in two steps that only a lock makes one. */
  readonly counted: boolean;
}

/** What it saw; times are ms of the machine's monotonic clock, the same in all processes. */
export interface Seen {
  /** Begin and end of each hold, as the holder saw them. */
  readonly holds: Float64Array;
  /** How long each hold was waited for, and at the end how long those who still waited had. */
  readonly waits: Float64Array;
  /** Of the waits, how many were in vain so far. */
  readonly unfinished: number;
  /** CPU time of this process in the time measured, in ms. */
  readonly cpuMs: number;
}

/** What is measured, once everybody has warmed up. */
export interface Window {
  readonly warmMs: number;
  readonly measureMs: number;
}

/**
 * From the clock of this process to that of the machine: by the least of many pairs of looks, for a process that is put aside between
 * two looks would seem to live earlier than it does, and to hold what others hold.
 */
function clockOffset(): number {
  let [least, offset] = [Infinity, 0];
  for (let i = 0; i < 1_000; i++) {
    const before = performance.now();
    const machine = Number(process.hrtime.bigint()) / 1e6;
    const after = performance.now();
    if (after - before >= least) continue;
    least = after - before;
    offset = machine - (before + after) / 2;
  }
  return offset;
}

const offset = clockOffset();
/** Asked three times for each hold, so it makes no garbage. */
const now = (): number => performance.now() + offset;

/** Numbers outside of the heap: what is noted of each hold is not to be collected, or copied when there are more of them. */
class Numbers {
  #values = new Float64Array(1 << 20);
  #size = 0;

  add(value: number): void {
    if (this.#size === this.#values.length) {
      const more = new Float64Array(2 * this.#size);
      more.set(this.#values);
      this.#values = more;
    }
    this.#values[this.#size++] = value;
  }

  all(): Float64Array {
    return this.#values.slice(0, this.#size);
  }
}

process.once("message", (order) => void prepare((order as { readonly task: Task }).task));

async function prepare(task: Task): Promise<void> {
  const make = lockPeers[task.peer];
  if (make === undefined) throw new Error(`no such lock: ${task.peer}`);
  const peer = await make(task.url, task.retry);
  const counter = task.counted ? await connectRaw(task.url) : undefined;
  // One hold of a key of its own, so that nobody pays for the first connection and the first script.
  await (await peer.acquire(`${task.key}-warm-${process.pid}`)).release();
  process.once("message", (order) => void measure(order as Window));
  process.send?.("ready");

  async function measure({ warmMs, measureMs }: Window): Promise<void> {
    const holds = new Numbers();
    const waits = new Numbers();
    const waiting = new Float64Array(task.workers);
    const from = now() + warmMs;
    const until = from + measureMs;
    const worker = async (i: number): Promise<void> => {
      for (let start = now(); start < until; start = now()) {
        waiting[i] = start;
        const held = await peer.acquire(task.key);
        const begin = now();
        waiting[i] = 0;
        if (counter) {
          const counted = Number((await counter.get(`${task.key}-counter`)) ?? 0);
          await counter.set(`${task.key}-counter`, counted + 1);
        }
        // Where nothing is done under it, a second look at the clock would be most of what there is to see.
        const end = counter ? now() : begin;
        if ((begin >= from && end < until) || counter) {
          waits.add(begin - start);
          holds.add(begin);
          holds.add(end);
        }
        await held.release();
      }
    };
    const running = Promise.all(Array.from({ length: task.workers }, async (_, i) => worker(i)));
    await new Promise((resolve) => setTimeout(resolve, warmMs));
    const cpu = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, measureMs));
    const { user, system } = process.cpuUsage(cpu);
    const stopped = now();
    const unfinished = [...waiting].filter((since) => since > 0).map((since) => stopped - since);
    // What is counted has to be counted to the end: a counter that was written but not seen would look like a lost one.
    if (counter) await running;
    const seen: Seen = {
      holds: holds.all(),
      waits: Float64Array.from([...waits.all(), ...unfinished]),
      unfinished: unfinished.length,
      cpuMs: (user + system) / 1000,
    };
    process.send?.(seen, () => process.exit(0));
  }
}

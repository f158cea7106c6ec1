import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Commits } from "../../../src/backends/machine/commits.ts";
import type { Speech } from "../../../src/backends/machine/engine.ts";
import { BatchReader, type Placed } from "../../../src/backends/machine/wire.ts";
import type { WorkerHost } from "../../../src/backends/machine/worker-host.ts";
import { HoldfastError } from "../../../src/base/errors.ts";
import type { ExecuteCall, Group } from "../../../src/port/index.ts";
import { virtualTime, type VirtualTime } from "../../../src/testing/virtual-time.ts";
import { record } from "./support/processes.ts";

const speech: Speech = {
  name: "test",
  what: "directory",
  explain: (error) => new HoldfastError("UNAVAILABLE", error.message),
};

/** More than go into one batch. */
const batchful = 600;

async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    await nextTurn();
    collect();
  }
}

/** The names of the keys that a batch writes, in its order. */
function keysOf(memory: SharedArrayBuffer, length: number): string[] {
  const read = new BatchReader(Buffer.from(memory, 0, length), new Uint8Array(memory));
  return read.groups().flatMap(({ at }) =>
    read.group(at).ops.map((op) => {
      const { bytes, space } = "key" in op ? op.key : op.lock;
      return bytes.toString("utf8", space);
    }),
  );
}

class Bench {
  readonly time: VirtualTime = virtualTime();
  readonly commits = new Commits(this.time, speech, () => undefined);
  readonly posted: string[][] = [];
  readonly settled: string[] = [];
  /** A thread that answers each batch when the test says so. */
  readonly host = {
    keepAlive: () => undefined,
    post: (_slot: number, memory: SharedArrayBuffer, length: number) => this.posted.push(keysOf(memory, length)),
  } as unknown as WorkerHost;

  /** Writes a record; gives what the queue holds of the call while it holds anything. */
  write(key: string, timeout: number): WeakRef<ExecuteCall> {
    const group: Group = { ops: [{ op: "set", key: record(key), id: "1", value: "v" }] };
    const call = { deadline: this.time.monotonic() + timeout, claim: () => true };
    void this.commits.submit([group], "session", call, []).then(([outcome]) => {
      this.settled.push(`${key}: ${outcome?.ok ? "ok" : outcome?.why}`);
    });
    return new WeakRef(call);
  }

  answer(): void {
    this.commits.done({ type: "done", outcomes: [], ping: [], passing: [] });
  }
}

test("a queue that stands still keeps nothing of calls that are over, and those that wait keep their order", async () => {
  const bench = new Bench();
  for (let i = 0; i < batchful; i++) bench.write(`first ${i}`, 600_000);
  const over: WeakRef<ExecuteCall>[] = [];
  const waiting: string[] = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 100; i++) over.push(bench.write(`over ${round}-${i}`, 500));
    waiting.push(`waits ${round}`);
    bench.write(`waits ${round}`, 600_000);
    await bench.time.advance(1_000);
  }
  assert.equal(bench.settled.length, over.length, "each ended by its deadline");
  await collectGarbage();
  const kept = over.filter((call) => call.deref() !== undefined).length;
  assert.ok(kept <= batchful, `${kept} of ${over.length} calls that are over are kept`);
  bench.commits.attach(bench.host);
  while (bench.posted.flat().length < batchful + waiting.length) bench.answer();
  const first = Array.from({ length: batchful }, (_, i) => `first ${i}`);
  assert.deepEqual(bench.posted.flat(), [...first, ...waiting]);
});

test("calls whose time is over before the thread is there are passed over, those behind them are sent", async () => {
  const bench = new Bench();
  // Fewer than wait: they stay in the queue until it is their turn.
  for (let i = 0; i < batchful; i++) bench.write(`${i}`, i % 3 === 0 ? 500 : 600_000);
  await bench.time.advance(1_000);
  for (let i = batchful; i < 2 * batchful; i++) bench.write(`${i}`, 600_000);
  bench.commits.attach(bench.host);
  const wanted = Array.from({ length: 2 * batchful }, (_, i) => i).filter((i) => i >= batchful || i % 3 !== 0);
  for (let turn = 0; turn < 5; turn++) bench.answer();
  assert.deepEqual(bench.posted.flat(), wanted.map(String));
});

test("at its deadline a group is taken back, and never begun; one that the thread has taken may have its effect", async () => {
  const bench = new Bench();
  let read: BatchReader | undefined;
  bench.commits.attach({
    keepAlive: () => undefined,
    post: (_slot: number, memory: SharedArrayBuffer, length: number) => {
      read ??= new BatchReader(Buffer.from(new Uint8Array(memory, 0, length)), new Uint8Array(memory));
    },
  } as unknown as WorkerHost);
  const groups = ["taken", "left"].map((key): Group => {
    return { ops: [{ op: "set", key: record(key), id: "1", value: "v" }] };
  });
  const call = { deadline: bench.time.monotonic() + 500, claim: () => true };
  const outcomes = bench.commits.submit(groups, "session", call, []);
  assert.ok(read);
  const [taken, left] = read.groups() as [Placed, Placed];
  assert.ok(read.isWanted([left]) && read.take(taken.at));
  await bench.time.advance(1_000);
  const sent = (await outcomes).map((outcome) => !outcome.ok && outcome.why === "failed" && outcome.sent);
  assert.deepEqual(sent, [true, false]);
  assert.deepEqual([read.isWanted([left]), read.take(left.at)], [false, false]);
  assert.ok(read.take(taken.at), "where the batch is tried again");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Command } from "../../../src/backends/lmdb/commands.ts";
import type { Tables } from "../../../src/backends/lmdb/tables.ts";
import { SignalHub } from "../../../src/backends/lmdb/signal-hub.ts";
import type { Signal } from "../../../src/port/index.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";

/** A hub over a directory in which nothing happens, and whose commits fail while `fails` is set. */
class Bench {
  readonly time = virtualTime();
  readonly signals: string[] = [];
  readonly commands: string[] = [];
  fails = false;
  open = true;
  readonly hub = new SignalHub({
    time: this.time,
    tables: () => (this.open ? quiet : undefined),
    command: async (command) => this.#run(command),
    onPatience: () => undefined,
  });

  async listen(topic = "t"): Promise<() => void> {
    const listener = (signal: Signal): unknown => this.signals.push(`${topic}: ${signal.type}`);
    return this.hub.subscribe("session", { topic }, listener);
  }

  /** What was told and asked for since the last look. */
  async news(): Promise<{ signals: string[]; commands: string[] }> {
    await nextTurn();
    return { signals: this.signals.splice(0), commands: this.commands.splice(0) };
  }

  async #run(command: Command): Promise<number> {
    assert.ok(command.do === "watch" && "topic" in command.what);
    this.commands.push(`${command.on ? "watch" : "leave"} ${command.what.topic}`);
    await nextTurn();
    if (this.fails) throw new Error("the disk is full");
    return 0;
  }
}

const empty = { getBinaryFast: () => undefined, getKeys: () => [], lastSize: 0 };
const quiet = { root: { resetReadTxn: () => undefined }, log: empty, meta: empty } as unknown as Tables;

test("what cannot be registered anew is a gap, once, and is tried again until it is, which is another", async () => {
  const bench = new Bench();
  await bench.listen("a");
  await bench.listen("b");
  assert.deepEqual(await bench.news(), { signals: [], commands: ["watch a", "watch b"] });
  bench.fails = true;
  await bench.hub.renew();
  assert.deepEqual(await bench.news(), { signals: ["a: gap", "b: gap"], commands: ["watch a", "watch b"] });
  await bench.time.advance(600);
  assert.deepEqual(await bench.news(), { signals: [], commands: ["watch a", "watch b"] });
  bench.fails = false;
  await bench.time.advance(600);
  assert.deepEqual(await bench.news(), { signals: ["a: gap", "b: gap"], commands: ["watch a", "watch b"] });
  await bench.time.advance(5_000);
  assert.deepEqual(await bench.news(), { signals: [], commands: [] });
});

test("while the directory is not open nothing is tried, and all is registered once it is", async () => {
  const bench = new Bench();
  await bench.listen();
  await bench.news();
  bench.open = false;
  bench.hub.lose();
  bench.hub.lose();
  await bench.time.advance(5_000);
  assert.deepEqual(await bench.news(), { signals: ["t: gap"], commands: [] });
  bench.open = true;
  await bench.time.advance(600);
  assert.deepEqual(await bench.news(), { signals: ["t: gap"], commands: ["watch t"] });
});

test("whoever comes while a watch is not registered registers it, for those who were there too", async () => {
  const bench = new Bench();
  const stop = await bench.listen();
  bench.fails = true;
  await bench.hub.renew();
  await bench.news();
  await assert.rejects(bench.listen(), /the disk is full/u);
  assert.deepEqual(await bench.news(), { signals: [], commands: ["watch t"] });
  bench.fails = false;
  const stopLater = await bench.listen();
  assert.deepEqual(await bench.news(), { signals: [], commands: ["watch t"] });
  await bench.time.advance(600);
  assert.deepEqual(await bench.news(), { signals: ["t: gap", "t: gap"], commands: [] });
  stop();
  assert.deepEqual(await bench.news(), { signals: [], commands: [] });
  stopLater();
  assert.deepEqual(await bench.news(), { signals: [], commands: ["leave t"] });
});

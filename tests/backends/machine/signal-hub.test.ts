import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Command } from "../../../src/backends/machine/commands.ts";
import type { Reads } from "../../../src/backends/machine/reads.ts";
import type { Site } from "../../../src/backends/machine/site.ts";
import { SignalHub } from "../../../src/backends/machine/signal-hub.ts";
import type { Signal } from "../../../src/port/index.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";

/** A hub over a directory in which nothing happens, and whose commits fail while `fails` is set. */
class Bench {
  readonly time = virtualTime();
  readonly signals: string[] = [];
  readonly commands: string[] = [];
  fails = false;
  open = true;
  readonly hub: SignalHub;

  constructor() {
    const { time } = this;
    const reads = (): Reads | undefined => (this.open ? quiet : undefined);
    const command = (asked: Command): Promise<number> => this.#run(asked);
    const site: Site = {
      backend: "test",
      time,
      command,
      get reads() {
        return reads();
      },
    };
    this.hub = new SignalHub(site, () => undefined);
  }

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
    assert.ok(command.do === "watch" && command.what.startsWith("t"));
    this.commands.push(`${command.on ? "watch" : "leave"} ${command.what.slice(1)}`);
    await nextTurn();
    if (this.fails) throw new Error("the disk is full");
    return 0;
  }
}

const empty = { get: () => undefined, suffixes: () => [], read: () => [] };
const view = { tables: { log: empty, meta: empty } } as unknown as Parameters<Parameters<Reads["snapshot"]>[0]>[0];
const quiet = { snapshot: <T>(read: (on: typeof view) => T): T => read(view) } as unknown as Reads;

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

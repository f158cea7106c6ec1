import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { drawId } from "../../../src/base/ids.ts";
import { redisBackend } from "../../../src/backends/redis/index.ts";
import { RedisStateStore } from "../../../src/entries/redis.ts";
import type { Backend, ExecuteCall, Group, Outcome } from "../../../src/port/index.ts";
import { record } from "../../../src/testing/port/client.ts";
import { FaultProxy } from "../../support/fault-proxy.ts";
import { freePorts } from "../../support/servers/ports.ts";
import { RedisServer, startRedis } from "../../support/redis/server.ts";

const full = /calls wait for one already/;
const made: Backend[] = [];

function backendAt(port: number, maxWaiting: number): Backend {
  const backend = redisBackend({ url: `redis://127.0.0.1:${port}`, settings: "warn", maxWaiting });
  made.push(backend);
  return backend;
}

function write(key: string): Group {
  return { ops: [{ op: "set", key: record(key), id: drawId(), value: "v" }] };
}

function callOn({ time }: Backend, ms = 20_000): ExecuteCall {
  return { deadline: time.monotonic() + ms, claim: () => true };
}

/** Why a group was not sent. */
function unsent(outcome: Outcome | undefined): string {
  assert.ok(outcome && !outcome.ok && outcome.why === "failed", JSON.stringify(outcome));
  assert.equal(outcome.sent, false);
  assert.ok(isHoldfastError(outcome.error, "UNAVAILABLE"));
  return outcome.error.message;
}

const page = { space: record("k").space, prefix: "", limit: 1 };

describe("calls that wait for a connection", () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  before(async () => {
    server = await startRedis({ kind: "redis" });
    proxy = await FaultProxy.start({ port: server.port });
  });
  afterEach(async () => {
    proxy.set({ kind: "none" });
    await Promise.all(made.splice(0).map(async (backend) => backend.close()));
  });
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  it("are so many before the first one is there, of all sessions together; the others are refused at once", async (t) => {
    const [port] = (await freePorts(1)) as [number];
    const backend = backendAt(port, 5);
    const [one, two] = [backend.session(), backend.session()];
    let settled = 0;
    const waiting = ["a", "b", "c", "d", "e"].map(async (key, i) => {
      const [outcome] = await (i % 2 === 0 ? one : two).execute([write(key)], callOn(backend));
      settled++;
      return outcome;
    });
    const more = ["f", "g", "h"].map(async (key) => two.execute([write(key)], callOn(backend)));
    for (const [outcome] of await Promise.all(more)) assert.match(unsent(outcome), full);
    await assert.rejects(one.page(page, callOn(backend)), { code: "UNAVAILABLE", message: full });
    assert.equal(settled, 0);

    const late = await RedisServer.start({ kind: "redis" }, { port });
    t.after(() => late.stop());
    for (const outcome of await Promise.all(waiting)) assert.equal(outcome?.ok, true);
    const [again] = await two.execute([write("f")], callOn(backend));
    assert.equal(again?.ok, true);
  });

  it("are counted one by one where they come in batches, also after a loss", async () => {
    const backend = backendAt(proxy.port, 5);
    await backend.open();
    const session = backend.session();
    assert.equal((await session.execute([write("first")], callOn(backend)))[0]?.ok, true);
    for (let round = 0; round < 3; round++) {
      proxy.set({ kind: "refuse" });
      proxy.cut();
      // Whoever is told of the cut comes back when there is no connection any more.
      while ((await session.execute([write("cut")], callOn(backend, 50)))[0]?.ok === true);
      const told = new Map<number, Outcome>();
      const call = { ...callOn(backend), settled: (i: number, outcome: Outcome) => told.set(i, outcome) };
      const some = session.execute(["a", "b"].map(write), callOn(backend));
      const most = session.execute(["c", "d", "e", "f", "g"].map(write), call);
      assert.deepEqual([...told.keys()], [3, 4]);
      for (const outcome of told.values()) assert.match(unsent(outcome), full);
      const none = await session.execute(["h", "i"].map(write), callOn(backend));
      assert.deepEqual(
        none.map((outcome) => full.test(unsent(outcome))),
        [true, true],
      );
      proxy.set({ kind: "none" });
      assert.ok((await some).every(({ ok }) => ok));
      assert.deepEqual(
        (await most).map(({ ok }) => ok),
        [true, true, true, false, false],
      );
    }
  });

  it("make room when their time is over, though the server still does not answer", async () => {
    proxy.set({ kind: "black-hole" });
    const backend = backendAt(proxy.port, 2);
    const session = backend.session();
    for (let round = 0; round < 3; round++) {
      const outcomes = await session.execute(["a", "b"].map(write), callOn(backend, 100));
      for (const outcome of outcomes) assert.doesNotMatch(unsent(outcome), full);
    }
    await assert.rejects(session.page(page, callOn(backend, 100)), (error: Error) => !full.test(error.message));
  });

  it("are those of a store too, of which the surplus hears at once", async () => {
    const [port] = (await freePorts(1)) as [number];
    const store = new RedisStateStore<number>(backendAt(port, 2), "orders", { service: "checkout" });
    const ended: number[] = [];
    const leave = new AbortController();
    const loads = [0, 1, 2, 3, 4].map(async (i) => {
      await assert.rejects(store.load(`${i}`, { signal: leave.signal, timeout: "20s" }), (error: Error) => {
        ended.push(i);
        return i < 2 ? leave.signal.aborted : isHoldfastError(error, "UNAVAILABLE") && full.test(error.message);
      });
    });
    await Promise.all(loads.slice(2));
    assert.deepEqual(ended, [2, 3, 4]);
    leave.abort();
    await Promise.all(loads);
  });
});

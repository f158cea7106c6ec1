import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { memoryBackend, MemoryServer } from "../../../src/backends/memory/index.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import type { Granted, Group, Operation, Session, Signal, StoredRecord } from "../../../src/port/index.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";

const record = (key: string): Key => ({ space: space("state", "", "records"), key });
const lock = (key: string): Key => ({ space: space("lock", "", "locks"), key });

function run(session: Session, ...ops: Operation[]) {
  const outcome = session.executeNow?.({ ops });
  assert.ok(outcome?.ok);
  return outcome.results;
}

function acquire(session: Session, key: string, ttl = 10_000): number {
  const [result] = run(session, { op: "acquire", lock: lock(key), owner: "a", mode: "exclusive", ttl, info: "" });
  return (result as Granted).grant;
}

describe("memory", () => {
  it("forgets a name that nobody uses once nothing is left under it, and keeps its grants rising", async () => {
    const name = drawId();
    const visit = async (use: (session: Session) => void): Promise<string> => {
      const backend = memoryBackend({ name });
      const { domain } = await backend.open();
      use(backend.session());
      await backend.close();
      return domain;
    };
    let grant = 0;
    const hold = (session: Session): void => {
      const granted = acquire(session, "k");
      assert.ok(granted > grant);
      const hours = 3_600_000_000;
      const held = { lock: lock("k"), owner: "a" };
      const raised: Operation = { op: "extend", ...held, grant: granted, ttl: 1, raise: granted + hours };
      ({ grant } = run(session, raised)[0] as Granted);
      run(session, { op: "release", ...held });
    };
    const first = await visit((session) => run(session, { op: "set", key: record("k"), id: "1", value: "v" }));
    assert.equal(await visit((session) => run(session, { op: "delete", key: record("k") })), first, "it held a record");
    const second = await visit(hold);
    assert.notEqual(second, first);
    assert.notEqual(await visit(hold), second);
  });

  it("is fresh for each backend, and shared by name or by server", async () => {
    const server = new MemoryServer();
    const name = drawId();
    const backends = [{}, {}, { server }, { server }, { name }, { name }].map((options) => memoryBackend(options));
    const domains = await Promise.all(backends.map(async (backend) => (await backend.open()).domain));
    assert.equal(new Set(domains).size, 4);
    assert.equal(domains[2], domains[3]);
    assert.equal(domains[4], domains[5]);
    const [writer, reader] = [backends[4], backends[5]] as [(typeof backends)[0], (typeof backends)[0]];
    run(writer.session(), { op: "set", key: record("k"), id: "1", value: "v" });
    await Promise.all(backends.map(async (backend) => backend.close()));
    await assert.rejects(reader.open(), (error) => isHoldfastError(error, "UNAVAILABLE"));
    const again = memoryBackend({ name }).session();
    assert.equal((run(again, { op: "get", key: record("k") })[0] as StoredRecord).value, "v", "a name keeps its data");
  });

  it("refuses a clock or a second source for data that is shared", () => {
    for (const options of [
      { name: "x", time: virtualTime() },
      { server: new MemoryServer(), time: virtualTime() },
      { name: "x", server: new MemoryServer() },
    ]) {
      assert.throws(
        () => memoryBackend(options),
        (error) => isHoldfastError(error, "INVALID_ARGUMENT"),
      );
    }
  });

  it("never grants below a grant of a lock that was forgotten", async () => {
    const time = virtualTime();
    const session = memoryBackend({ time }).session();
    const grant = acquire(session, "k");
    const raise = grant + 1e15;
    run(session, { op: "extend", lock: lock("k"), owner: "a", grant, ttl: 1, raise });
    await time.advance("1h");
    assert.ok(acquire(session, "k") > raise);
    assert.ok(acquire(session, "another") > raise, "the floor is the server's, as it does not remember whose it was");
  });

  it("remembers a lock that is held, waited for or marked, however long", async () => {
    const time = virtualTime();
    const session = memoryBackend({ time }).session();
    const day = 86_400_000;
    const grant = acquire(session, "k", 3 * day);
    run(session, { op: "release", lock: lock("marked"), owner: "a", markMs: 3 * day });
    await time.advance("2d");
    const guarded: Group = { guards: [{ lock: lock("k"), owner: "a", grant }], ops: [] };
    assert.equal(session.executeNow?.(guarded)?.ok, true);
    const marked = session.executeNow?.({
      ops: [{ op: "acquire", lock: lock("marked"), owner: "a", mode: "exclusive", ttl: 1, info: "" }],
    });
    assert.ok(marked && !marked.ok && marked.why === "fenced");
  });

  it("leases do not follow the wall clock, records do", async () => {
    const time = virtualTime();
    let jump = 0;
    const jumping = {
      ...time,
      wall: () => time.wall() + jump,
      monotonic: () => time.monotonic(),
      after: time.after.bind(time),
    };
    const session = memoryBackend({ time: jumping }).session();
    const grant = acquire(session, "k", 1_000);
    run(session, { op: "set", key: record("k"), id: "1", value: "v", ttl: 1_000 });
    jump = 3_600_000;
    assert.equal(session.executeNow?.({ guards: [{ lock: lock("k"), owner: "a", grant }], ops: [] })?.ok, true);
    assert.deepEqual(run(session, { op: "get", key: record("k") }), [undefined]);
    jump = -3_600_000;
    run(session, { op: "release", lock: lock("k"), owner: "a" });
    assert.ok(acquire(session, "k") > grant, "grants rise although the wall clock fell");
    await time.advance(0);
  });

  it("a listener that throws silences nobody", async () => {
    const session = memoryBackend().session();
    const heard: Signal[] = [];
    const uncaught = new Promise<unknown>((resolve) => {
      const before = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const listener of before) process.on("uncaughtException", listener);
        resolve(error);
      });
    });
    await session.signals?.subscribe({ topic: "t" }, () => {
      throw new Error("a bug of the listener");
    });
    await session.signals?.subscribe({ topic: "t" }, (signal) => heard.push(signal));
    await session.signals?.publish("t", "1");
    assert.match(String(await uncaught), /a bug of the listener/);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(heard, [{ type: "message", body: "1" }]);
  });

  it("refuses a group that is too large, a value that is too large, and a wait inside of a group", () => {
    const session = memoryBackend().session();
    const set = (value: string | Uint8Array): Operation => ({ op: "set", key: record("k"), id: "1", value });
    const wait: Operation = {
      ...({ op: "acquire", lock: lock("k"), owner: "a", mode: "exclusive", ttl: 1, info: "" } as const),
      wait: { claimMs: 1 },
    };
    const groups: Operation[][] = [
      Array.from({ length: 4_097 }, (_, i) => ({ op: "get", key: record(`${i}`) })),
      [set(new Uint8Array(64 * 1024 * 1024 + 1))],
      [set("ä".repeat(32 * 1024 * 1024 + 1))],
      [wait, set("v")],
    ];
    for (const ops of groups) {
      const outcome = session.executeNow?.({ ops });
      assert.ok(outcome && !outcome.ok && outcome.why === "failed" && !outcome.sent);
      assert.ok(isHoldfastError(outcome.error, "INVALID_ARGUMENT"));
    }
    assert.deepEqual(run(session, { op: "get", key: record("k") }), [undefined]);
    run(session, set("ä".repeat(32 * 1024 * 1024)));
  });

  it("keeps no process alive, whatever is held, waits or expires", () => {
    const index = new URL("../../../src/backends/memory/index.ts", import.meta.url).href;
    const keys = new URL("../../../src/base/keys.ts", import.meta.url).href;
    const script = `
      import { memoryBackend } from ${JSON.stringify(index)};
      import { space } from ${JSON.stringify(keys)};
      const session = memoryBackend().session();
      const lock = { space: space("lock", "", "l"), key: "k" };
      const acquire = { op: "acquire", lock, mode: "exclusive", ttl: 600000, info: "" };
      session.executeNow({ ops: [{ ...acquire, owner: "a" }] });
      session.executeNow({ ops: [{ ...acquire, owner: "b", wait: { claimMs: 600000 } }] });
      session.executeNow({ ops: [{ op: "set", key: { space: space("state", "", "s"), key: "k" }, id: "1", value: "v", ttl: 600000 }] });
      await session.signals.subscribe({ topic: "t" }, () => {});
      console.log("done");`;
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 20_000,
      encoding: "utf8",
    });
    assert.equal(child.stdout.trim(), "done", child.stderr);
    assert.equal(child.status, 0);
  });
});

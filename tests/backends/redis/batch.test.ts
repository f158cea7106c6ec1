import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred, type Deferred } from "../../../src/base/async.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";
import { systemTime } from "../../../src/base/time.ts";
import { Alarm } from "../../../src/backends/common/alarm.ts";
import { Batch, type BatchContext } from "../../../src/backends/redis/batch.ts";
import { Layout } from "../../../src/backends/redis/layout.ts";
import { failedWithin } from "../../../src/backends/redis/outcomes.ts";
import { Places } from "../../../src/backends/redis/places.ts";
import { encodeRecord, joined } from "../../../src/backends/redis/record.ts";
import { PendingCallers } from "../../../src/backends/common/pending.ts";
import { RedisFailure, type Arg, type Reply } from "../../../src/backends/redis/router.ts";
import type { Group, Operation, Outcome } from "../../../src/port/index.ts";
import { acquire, lock, record } from "../../../src/testing/port/client.ts";
import { FakeRouter } from "./support/fake-router.ts";

const layout = new Layout("hf");

/** A router whose commands are answered by the test, one after the other. */
class Answered extends FakeRouter {
  readonly asked: { readonly route: string; readonly args: readonly Arg[]; readonly reply: Deferred<Reply> }[] = [];

  override async send(route: string, _key: string | undefined, args: readonly Arg[]): Promise<Reply> {
    const reply = deferred<Reply>();
    this.asked.push({ route, args, reply });
    return reply.promise;
  }
}

/** Of a cluster: the node of the slot of key "a" is away until it is told otherwise. */
class HalfAway extends Answered {
  override readonly topology = "cluster";
  readonly back = deferred<void>();
  #isBack = false;

  override slotOf(name = ""): number {
    return name.includes("{a}") ? 1 : 0;
  }

  override isReady(_route?: string, key?: string): boolean {
    return this.#isBack || this.slotOf(key) === 0;
  }

  override async ready(): Promise<void> {
    await this.back.promise;
    this.#isBack = true;
  }
}

/** Sends a batch that ends in `ms`. */
function begin<Kind extends Answered = Answered>(
  groups: readonly Group[],
  ms: number,
  router = new Answered() as Kind,
): {
  readonly router: Kind;
  readonly outcomes: Promise<readonly Outcome[]>;
  readonly settled: [number, unknown][];
} {
  const settled: [number, unknown][] = [];
  const context: BatchContext = {
    router,
    encoding: { layout, channel: "hf:s:1", stampsApart: true, declareAll: false },
    places: new Places(router, layout),
    pending: new PendingCallers("redis", 2),
    learned: () => undefined,
  };
  const outcomes = new Promise<readonly Outcome[]>((resolve) => {
    const deadline = systemTime.monotonic() + ms;
    const tell = (i: number, outcome: Outcome): void => void settled.push([i, statusOf(outcome)]);
    const alarm = new Alarm<Batch>(systemTime, (batch) => batch.expire());
    new Batch(alarm, groups, { deadline, claim: () => true, settled: tell }, resolve).send(context);
  });
  return { router, outcomes, settled };
}

function statusOf(outcome: Outcome | undefined): unknown {
  if (outcome?.ok !== false) return outcome?.ok;
  return outcome.why === "failed" ? { sent: outcome.sent } : outcome.why;
}

describe("a batch of groups", () => {
  const stamped: Operation = { op: "get", key: record("k"), stamped: true };
  const entry = Buffer.from(joined(encodeRecord("id", "old", [{ key: record("tag"), id: "1" }], layout, false)));

  it("gives no record whose stamps were not read by the deadline", async () => {
    const { router, outcomes } = begin([{ ops: [stamped] }], 60);
    router.asked[0]?.reply.resolve(entry);
    await new Promise(setImmediate);
    assert.deepEqual(router.asked[1]?.args, ["MGET", layout.name(record("tag"))]);
    assert.deepEqual((await outcomes).map(statusOf), [{ sent: true }]);
  });

  it("tells what is known of one group while another is late", async () => {
    const late = acquire(lock("k"), "a", { ttl: 9 });
    const tooMany = Array.from({ length: 300 }, (_, i): Operation => ({ op: "get", key: record(`${i}`) }));
    const { router, outcomes, settled } = begin([{ ops: [stamped] }, { ops: [late] }, { ops: tooMany }], 60);
    router.asked[0]?.reply.resolve(entry);
    await new Promise(setImmediate);
    assert.deepEqual(settled, [[2, { sent: false }]], "its stamps are not known yet");
    const tag = Buffer.from(joined(encodeRecord("1", "", undefined, layout, false)));
    router.asked[2]?.reply.resolve([tag]);
    await new Promise(setImmediate);
    assert.deepEqual(settled[1], [0, true]);
    assert.deepEqual((await outcomes).map(statusOf), [true, { sent: true }, { sent: false }]);
  });

  it("keeps as many waiting for a node as there is room for, and refuses the others at once", async () => {
    const write = (id: string): Group => ({ ops: [{ op: "set", key: record("a"), id, value: "v" }] });
    const groups = [write("1"), write("2"), write("3"), { ops: [{ ...stamped, key: record("b") }] }];
    const { router, outcomes, settled } = begin(groups, 5_000, new HalfAway());
    assert.deepEqual(settled, [[2, { sent: false }]]);
    assert.deepEqual(
      router.asked.map(({ args }) => args[0]),
      ["GET"],
    );
    router.asked[0]?.reply.resolve(null);
    await new Promise(setImmediate);
    assert.deepEqual(settled[1], [3, true], "those of another node do not wait");
    router.back.resolve();
    await new Promise(setImmediate);
    router.asked[1]?.reply.resolve("OK");
    assert.deepEqual((await outcomes).map(statusOf), [true, true, { sent: false }, true]);
  });

  it("renews leases on a connection of its own, and tells of it whatever else is late", async () => {
    const held = lock("held");
    const guards = [{ lock: held, owner: "a", grant: 7 }];
    const { router, outcomes, settled } = begin(
      [
        { ops: [{ op: "set", key: record("k"), id: "1", value: "a large value" }] },
        { ops: [{ op: "extend", lock: held, owner: "a", grant: 7, ttl: 9 }] },
        { guards, ops: [acquire(lock("handed on"), "a", { ttl: 9 })] },
      ],
      60,
    );
    assert.deepEqual(
      router.asked.map(({ route }) => route),
      ["commands", "renewals"],
    );
    router.asked[1]?.reply.resolve([0, 7, 0, 8]);
    await new Promise(setImmediate);
    assert.deepEqual(settled, [
      [1, true],
      [2, true],
    ]);
    assert.deepEqual((await outcomes).map(statusOf), [{ sent: true }, true, true]);
  });

  it("changes nothing of what it has given", async () => {
    const { router, outcomes } = begin([{ ops: [acquire(lock("k"), "a", { ttl: 9 })] }], 20);
    const given = await outcomes;
    router.asked[0]?.reply.reject(new RedisFailure("OOM not now", false, "OOM"));
    await new Promise(setImmediate);
    assert.deepEqual(given.map(statusOf), [{ sent: true }]);
  });

  it("sends nothing after the deadline, also not a script that the server does not know", async () => {
    const { router, outcomes } = begin([{ ops: [acquire(lock("k"), "a", { ttl: 9 })] }], 20);
    await outcomes;
    router.asked[0]?.reply.reject(new RedisFailure("NOSCRIPT what is that", false, "NOSCRIPT"));
    await new Promise(setImmediate);
    assert.equal(router.asked.length, 1);
  });

  it("says that a group that failed on what is not ours may have taken effect, if it had begun to write", () => {
    const group = { ops: [stamped] };
    for (const applying of [false, true]) {
      const { sent, error } = failedWithin("WRONGTYPE what is that", applying, group);
      assert.ok(isHoldfastError(error, "CORRUPT_VALUE"));
      assert.equal(sent, applying);
    }
  });
});

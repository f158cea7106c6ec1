import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nullBackend } from "../../../src/backends/null/index.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import type { Condition, Granted, Group, Operation, Outcome } from "../../../src/port/index.ts";

const key: Key = { space: space("state", "", "records"), key: "k" };
const lock: Key = { space: space("lock", "", "locks"), key: "k" };

function setUp() {
  const session = nullBackend().session();
  const run = (group: Group): Outcome => session.executeNow?.(group) as Outcome;
  const ok = (...ops: Operation[]) => {
    const outcome = run({ guards: [{ lock, owner: "a", grant: 1 }], ops });
    assert.ok(outcome.ok);
    return outcome.results;
  };
  return { session, run, ok };
}

describe("null", () => {
  it("accepts every write, under every guard, and keeps nothing", async () => {
    const { session, ok } = setUp();
    const set: Operation = { op: "set", key, id: "1", value: "v", ttl: 5, stamps: [{ key, id: "1" }] };
    assert.deepEqual(ok(set, { op: "floor", key, grant: 1, n: 0, keepMs: 1 }), [undefined, undefined]);
    assert.deepEqual(ok({ op: "get", key }), [undefined]);
    assert.deepEqual(ok({ op: "delete", key }), [false]);
    assert.deepEqual(await session.page({ space: key.space, prefix: "", limit: 10 }, { deadline: 0 }), { records: [] });
  });

  it("holds that every record is absent", () => {
    const { run, ok } = setUp();
    const ops = (condition: Condition): Operation[] => [
      { op: "check", key, if: condition },
      { op: "set", key, id: "1", value: "v", if: condition },
      { op: "delete", key, if: condition },
    ];
    ok(...ops({ absent: true }));
    for (const op of ops({ id: "1" })) {
      assert.deepEqual(run({ ops: [op] }), { ok: false, why: "conflict", at: 0, current: undefined });
    }
  });

  it("grants every lock to everybody, under grants that rise", () => {
    const { ok } = setUp();
    const acquire: Operation = { op: "acquire", lock, owner: "a", mode: "exclusive", ttl: 1, info: "" };
    const grants = [...ok(acquire, { ...acquire, owner: "b" }), ...setUp().ok(acquire)].map(
      (one) => (one as Granted).grant,
    );
    assert.deepEqual(
      grants,
      [...new Set(grants)].toSorted((a, b) => a - b),
    );
    assert.equal(grants.length, 3);
    const grant = grants[0] as number;
    assert.deepEqual(ok({ op: "extend", lock, owner: "a", grant, ttl: 1, raise: grant + 7 }), [{ grant: grant + 7 }]);
    assert.deepEqual(ok({ op: "extend", lock, owner: "a", grant, ttl: 1 }), [{ grant }]);
    assert.deepEqual(ok({ op: "release", lock, owner: "a" }), [true]);
    const nobody = { holders: [], waiting: 0 };
    assert.deepEqual(ok({ op: "inspect", lock }, { op: "steal", lock }), [nobody, nobody]);
  });

  it("takes subscriptions and messages, and delivers nothing", async () => {
    const { session } = setUp();
    const stop = await session.signals?.subscribe({ topic: "t" }, () => assert.fail("there is nothing to tell"));
    await session.signals?.publish("t", "body");
    stop?.();
    await session.close();
    await assert.rejects(async () => session.signals?.publish("t", "body"));
  });

  it("says what it does not promise", async () => {
    const { capabilities, domain } = await nullBackend().open();
    assert.equal(capabilities.exclusion, "none");
    assert.equal(capabilities.reads, "eventual");
    assert.equal(capabilities.durability, "none");
    assert.equal((await nullBackend().open()).domain, domain, "all of them see the same: nothing");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { emptyLock, type LockRecord, type Waiter } from "../../../src/backends/common/lock-rules.ts";
import { LockPassing } from "../../../src/backends/sql/passing.ts";
import { keyId, space, type Key } from "../../../src/base/keys.ts";
import { Client } from "../../../src/testing/port/client.ts";
import { virtualTime } from "../../../src/testing/virtual-time.ts";
import { countingTime } from "../../support/counting-time.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { storeOn } from "./support/store.ts";

const locks = space("lock", "", "locks");
const key: Key = { space: locks, key: "k" };

function waiter(session: string, until: number): Waiter {
  return { owner: session, session, mode: "exclusive", limit: undefined, info: "", claimMs: 1_000, until };
}

/** Held until then, with who waits. */
function held(until: number, ...queue: readonly Waiter[]): LockRecord {
  const lock = emptyLock();
  lock.holds.push({ owner: "h", mode: "exclusive", grant: 1, info: "", until, session: undefined, pending: false });
  lock.queue.push(...queue);
  return lock;
}

function world() {
  const time = virtualTime();
  const timers = countingTime(time);
  const looks: string[][] = [];
  const passing = new LockPassing(
    timers,
    (session) => session.startsWith("own"),
    (found) => looks.push(found.map(keyId)),
  );
  const learned = (lock: LockRecord, granted: readonly { readonly lock: Key }[] = [], at = key): void =>
    passing.learned({
      granted: granted.map((one) => ({ ...one, owner: "o", session: "s", grant: 2 })),
      locks: [{ key: at, lock }],
      now: 0,
    });
  return { time, timers, looks, passing, learned };
}

describe("who looks at a lock on SQL when its time has come", () => {
  it("is who waits for it, soon after a hold or the first claim has ended, once for all sessions", async () => {
    for (const lock of [
      held(500, waiter("own1", 60_000), waiter("own2", 60_000), waiter("x", 60_000)),
      held(60_000, waiter("x", 500), waiter("own1", 60_000)),
    ]) {
      const { time, looks, learned } = world();
      learned(lock);
      await time.advance(505);
      assert.deepEqual(looks, []);
      await time.advance(35);
      assert.deepEqual(looks, [[keyId(key)]]);
      await time.advance(60_000);
      assert.equal(looks.length, 1, "what it finds is learned, or who waits asks again");
    }
  });

  it("goes by what was learned last, and is nobody once nobody of this process waits", async () => {
    const { time, looks, learned } = world();
    learned(held(500, waiter("own", 60_000)));
    learned(held(900, waiter("own", 60_000)));
    await time.advance(600);
    assert.deepEqual(looks, []);
    learned(held(900));
    await time.advance(1_000);
    assert.deepEqual(looks, []);
    learned(held(100, waiter("other", 60_000)));
    await time.advance(1_000);
    assert.deepEqual(looks, []);
  });

  it("is who passed it on while others wait, for that one may be dead", async () => {
    const { time, looks, learned } = world();
    learned(held(1_000), [{ lock: key }]);
    await time.advance(2_000);
    assert.deepEqual(looks, [], "nobody waits");
    learned(held(1_000, waiter("other", 60_000)), [{ lock: key }]);
    await time.advance(1_100);
    assert.deepEqual(looks, [[keyId(key)]]);
  });

  it("looks at those together whose time comes together, with one timer, and at none once it is closed", async () => {
    const { time, timers, looks, passing, learned } = world();
    for (let i = 0; i < 1_000; i++) learned(held(500, waiter("own", 60_000)), [], { space: locks, key: String(i) });
    assert.ok(timers.live <= 1, `${timers.live} timers`);
    await time.advance(600);
    assert.equal(looks.flat().length, 1_000);
    assert.ok(looks.length <= 40, `${looks.length} looks`);
    learned(held(500, waiter("own", 60_000)));
    passing.close();
    await time.advance(1_000);
    assert.equal(looks.flat().length, 1_000);
  });
});

void describe("a lock on postgres15 that passes on by time", { skip: lacks("postgres15") }, () => {
  it("is granted to the next who waits, who is told though nobody asks", async (t) => {
    const store = await storeOn(t, "postgres15");
    const [a, b] = [new Client(store.backend()), new Client(store.backend())];
    const patient = { ttl: 600_000, claimMs: 600_000 };
    const heard = await b.listen({ grants: true });
    await a.acquire({ ...key, key: "expires" }, "a", { ttl: 300 });
    await b.wait({ ...key, key: "expires" }, "expires", patient);
    await heard.granted("expires");
    const lapses = { ...key, key: "lapses" };
    await a.acquire(lapses, "a", { ttl: 600_000 });
    await a.wait(lapses, "dead", { ttl: 600_000, claimMs: 500 });
    await b.wait(lapses, "lapses", patient);
    await a.release(lapses, "a");
    await heard.granted("lapses");
    assert.deepEqual(await b.holders(lapses), ["lapses"]);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deferred, type Deferred } from "../../../src/base/async.ts";
import { UnavailableError } from "../../../src/base/errors.ts";
import { Reconnecting, retirement, type Attempt, type Link } from "../../../src/backends/common/reconnecting.ts";
import { StoppedTime } from "../../support/stopped-time.ts";

/** A connection that only remembers what became of it. */
class TestLink implements Link {
  readonly ended: unknown[] = [];

  close(why?: unknown): void {
    this.ended.push(why ?? "closed");
  }

  retire(ms: number): void {
    this.ended.push(ms);
  }
}

/** An attempt that ends as the test says. */
class TestAttempt implements Attempt<TestLink> {
  readonly isNew: boolean;
  readonly outcome: Deferred<TestLink> = deferred();

  constructor(isNew: boolean) {
    this.isNew = isNew;
  }

  establish(): Promise<TestLink> {
    return this.outcome.promise;
  }

  abandon(why: Error): void {
    this.outcome.reject(why);
  }
}

/** A clock that stands still unless it is set. */
class Clock extends StoppedTime {
  now = 0;

  override monotonic(): number {
    return this.now;
  }
}

class World {
  readonly time = new Clock();
  readonly attempts: TestAttempt[] = [];
  readonly opened: TestLink[] = [];
  changes = 0;
  final = false;
  persists = false;
  readonly connection = new Reconnecting<TestLink, TestAttempt>({
    time: this.time,
    attempt: (isNew) => {
      const attempt = new TestAttempt(isNew);
      this.attempts.push(attempt);
      return attempt;
    },
    meaning: (error) => ({ error: new UnavailableError(String(error), { backend: "test" }), final: this.final }),
    persists: () => this.persists,
    opened: (link) => void this.opened.push(link),
    changed: () => void this.changes++,
  });

  get attempt(): TestAttempt {
    return this.attempts.at(-1) as TestAttempt;
  }

  async open(link = new TestLink()): Promise<TestLink> {
    this.attempt.outcome.resolve(link);
    await settled();
    return link;
  }

  async fail(why = "no"): Promise<void> {
    this.attempt.outcome.reject(why);
    await settled();
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Whether a pause is one that is at most `ms`. */
function assertPause(actual: number, ms: number): void {
  assert.ok(actual >= ms / 2 && actual <= ms, `${actual} ms, not half of ${ms} to ${ms}`);
}

void describe("a connection that is made anew", () => {
  void it("does not begin by itself, and begins once", () => {
    const { connection, attempts } = new World();
    assert.equal(attempts.length, 0);
    connection.start();
    connection.start();
    assert.deepEqual([attempts.length, attempts[0]?.isNew, connection.link], [1, true, undefined]);
  });

  void it("is tried again after pauses that double up to the longest", async () => {
    const world = new World();
    world.connection.start();
    for (const longest of [100, 200, 400, 800, 1_600, 2_000, 2_000]) {
      await world.fail("refused");
      assert.match(world.connection.problem?.message ?? "", /refused/);
      assert.equal(world.connection.hopeless, false);
      world.connection.start();
      assertPause(world.time.runOnly(), longest);
    }
    assert.deepEqual([world.attempts.length, world.connection.failures], [8, 7]);
    const link = await world.open();
    assert.deepEqual([world.connection.link, world.opened, world.connection.problem], [link, [link], undefined]);
  });

  void it("comes back at once after a loss, and not so soon when it is lost again at once", async () => {
    const world = new World();
    world.connection.start();
    const first = await world.open();
    world.time.now = 5_000;
    world.connection.lost(first, "reset");
    assert.deepEqual([first.ended, world.connection.link], [["reset"], undefined]);
    assertPause(world.time.runOnly(), 50);
    assert.equal(world.attempt.isNew, false);
    await world.fail();
    assertPause(world.time.runOnly(), 100);
    const second = await world.open();
    world.connection.lost(second, "reset");
    assertPause(world.time.runOnly(), 100);
    const third = await world.open();
    world.connection.lost(second, "late");
    assert.equal(world.connection.link, third, "the loss of one that was replaced is none");
  });

  void it("does not wait for the next attempt where it is hurried, nor begins another", async () => {
    const world = new World();
    world.connection.start();
    world.connection.hurry();
    assert.equal(world.attempts.length, 1, "one is under way");
    await world.fail();
    world.connection.hurry();
    assert.equal(world.attempts.length, 2);
    await world.open();
    world.connection.hurry();
    assert.equal(world.attempts.length, 2, "it is open");
  });

  void it("is not tried again by itself when that is of no use, and by who asks a second later", async () => {
    const world = new World();
    world.final = true;
    world.connection.start();
    await world.fail();
    assert.deepEqual([world.connection.hopeless, world.time.timers.size], [true, 1]);
    world.time.runOnly();
    assert.equal(world.attempts.length, 1, "who persists is asked when the pause is over");
    world.connection.start();
    assert.equal(world.attempts.length, 1);
    world.time.now = 1_000;
    world.connection.start();
    assert.deepEqual([world.attempts.length, world.connection.hopeless], [2, false]);
    world.persists = true;
    await world.fail();
    assertPause(world.time.runOnly(), 2_000);
    assert.equal(world.attempts.length, 3);
  });

  void it("is renewed: what is pending may still be answered, and an attempt under way begins anew", async () => {
    const world = new World();
    world.connection.start();
    world.connection.renew();
    await settled();
    assert.equal(world.attempts.length, 2);
    const late = new TestLink();
    world.attempts[0]?.outcome.resolve(late);
    const first = await world.open();
    world.time.now = 10_000;
    world.connection.renew();
    assert.deepEqual([first.ended, world.connection.link], [[retirement], undefined]);
    world.connection.renew();
    assert.equal(world.attempts.length, 3, "a pause ends");
    const second = await world.open();
    world.connection.renew();
    assert.equal(world.connection.link, second, "not twice within a second");
  });

  void it("closes what an attempt opened too late, and makes no other", async () => {
    const world = new World();
    world.connection.start();
    const link = new TestLink();
    world.attempt.outcome.resolve(link);
    world.connection.close();
    await settled();
    assert.deepEqual([link.ended, world.connection.link, world.time.timers.size], [["closed"], undefined, 0]);
    world.connection.start();
    assert.equal(world.attempts.length, 1);
  });

  void it("ends its present connection when it is closed, at once or once all is answered", async () => {
    for (const [ms, ended] of [
      [undefined, "closed"],
      [70, 70],
    ] as const) {
      const world = new World();
      world.connection.start();
      const link = await world.open();
      const { changes } = world;
      world.connection.close(ms);
      world.connection.close(ms);
      assert.deepEqual([link.ended, world.changes - changes], [[ended], 1]);
    }
  });
});

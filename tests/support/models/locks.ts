import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import * as rules from "../../../src/backends/common/lock-rules.ts";
import type { LockMode, LockOperation, LockState, Outcome } from "../../../src/port/index.ts";
import { Client, lock } from "../../../src/testing/port/client.ts";
import type { Place, Subject } from "../../../src/testing/suite.ts";

const long = 600_000;
const owners = ["a", "b", "c", "d", "e", "ä".repeat(70)];

/** Numbers from 0 to 1 that look random, and are the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What an outcome says, without numbers that hang on clocks. */
function told(outcome: Outcome): unknown {
  if (outcome.ok) {
    const [result] = outcome.results;
    if (typeof result !== "object") return result;
    return "holders" in result ? stateOf(result) : "granted";
  }
  if (outcome.why === "held") return ["held", outcome.ahead, stateOf(outcome.state)];
  return outcome.why;
}

function stateOf({ holders, waiting }: LockState): unknown {
  return [holders.map(({ owner, mode, info }) => [owner, mode, info]), waiting];
}

/** The same by the rules that all backends have in common, where no time passes. */
function expected(record: rules.LockRecord, op: LockOperation, holds: boolean): unknown {
  switch (op.op) {
    case "acquire": {
      const verdict = rules.judge(record, op);
      if (verdict === "fenced") return "fenced";
      if (verdict === "granted") {
        rules.give(record, op, 0, 0);
        rules.handOff(record, 0, 0);
        return "granted";
      }
      if (op.wait) rules.enqueue(record, op, "session", op.wait.claimMs, 0);
      return ["held", rules.aheadOf(record, op.owner), stateOf(rules.stateOf(record, 0))];
    }
    case "extend":
      return holds ? "granted" : "fenced";
    case "release": {
      const held = rules.release(record, op.owner, 0, op.markMs);
      rules.handOff(record, 0, 0);
      return held;
    }
    case "steal": {
      const state = stateOf(rules.stateOf(record, 0));
      rules.steal(record, undefined, 0);
      rules.handOff(record, 0, 0);
      return state;
    }
    case "inspect":
      return stateOf(rules.stateOf(record, 0));
  }
}

/** Steps of a history: as many as there is time for, and not few. */
const most = 400;
const least = 60;
const time = 5_000;

/** Runs `work` on a place of its own; skipped where the backend has no locks. */
async function withClient(
  t: TestContext,
  subject: Subject,
  work: (client: Client, place: Place) => Promise<void>,
): Promise<void> {
  const place = await subject.place();
  try {
    const client = new Client(place.backend());
    const { capabilities } = await client.backend.open();
    if (capabilities.exclusion === "none") t.skip(`${subject.name} has no locks`);
    else await work(client, place);
  } finally {
    await place.close();
  }
}

async function compare(client: Client, seed: number): Promise<void> {
  const draw = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)] as T;
  const key = lock(`model ${seed}`);
  const record = rules.emptyLock();
  // Exclusive ones alone, then semaphores, then all together.
  const modes: readonly LockMode[] =
    seed % 3 === 0 ? ["exclusive"] : seed % 3 === 1 ? ["shared"] : ["exclusive", "shared"];
  let highest = 0;
  const end = performance.now() + time;
  for (let step = 0; step < most && (step < least || performance.now() < end); step++) {
    const owner = pick(owners);
    const grant = (await client.inspect(key)).holders.find((one) => one.owner === owner)?.grant;
    const op = pick<() => LockOperation>([
      () => {
        const mode = pick(modes);
        const limit = mode === "shared" && draw() < 0.7 ? 1 + Math.floor(draw() * 3) : undefined;
        const wait = draw() < 0.6 ? { claimMs: long } : undefined;
        return { op: "acquire", lock: key, owner, mode, limit, ttl: long, info: `${step}`, ...(wait && { wait }) };
      },
      () => ({ op: "release", lock: key, owner, markMs: draw() < 0.03 ? long : undefined }),
      () => ({
        op: "extend",
        lock: key,
        owner,
        grant: grant ?? 1,
        ttl: long,
        raise: draw() < 0.2 ? highest + 50 : undefined,
      }),
      () => (draw() < 0.2 ? { op: "steal", lock: key } : { op: "inspect", lock: key }),
    ])();
    const outcome = await client.group({ ops: [op] });
    const wanted = expected(record, op, grant !== undefined);
    assert.deepEqual(told(outcome), wanted, `step ${step}: ${JSON.stringify(op)}`);
    const { holders } = await client.inspect(key);
    const grants = holders.map((one) => one.grant);
    assert.equal(new Set(grants).size, grants.length, "two holders under one grant");
    if (op.op === "acquire" && outcome.ok && grant === undefined) {
      const given = (outcome.results[0] as { grant: number }).grant;
      assert.ok(given > highest, "a grant falls behind one given before");
    }
    highest = Math.max(highest, ...grants);
  }
  const last = await client.group({ ops: [{ op: "inspect", lock: key }] });
  assert.deepEqual(told(last), stateOf(rules.stateOf(record, 0)));
}

/** Compares what a backend does with one lock, operation by operation, with the rules that all have in common. */
export function compareLocks(subject: Subject): void {
  describe(`one lock on ${subject.name}`, { concurrency: 4 }, () => {
    for (const seed of [1, 2, 3]) {
      it(`does what the rules say (seed ${seed})`, async (t) =>
        withClient(t, subject, async (client) => compare(client, seed)));
    }

    it("finds the dead of a long queue, wherever they stand, and nobody else", async (t) =>
      withClient(t, subject, async (client, place) => {
        const key = lock("long queue");
        await client.acquire(key, "holder", { ttl: long });
        const waiting = Array.from({ length: 80 }, (_, i) =>
          i % 4 === 3 ? { owner: `live ${i}`, claimMs: long } : { owner: `dead ${i}`, claimMs: 50 },
        );
        for (const { owner, claimMs } of waiting) await client.wait(key, owner, { ttl: long, claimMs });
        await place.elapse(51);
        // It may take several looks: each forgets some.
        const counts: number[] = [];
        while (counts.at(-1) !== 20 && counts.length < 100) counts.push((await client.inspect(key)).waiting);
        assert.equal(counts.at(-1), 20, "who refreshes no claim is forgotten");
        for (let look = 0; look < 100; look++)
          assert.equal((await client.inspect(key)).waiting, 20, "who refreshes no claim is forgotten");
        await client.release(key, "holder");
        const { holders } = await client.inspect(key);
        assert.deepEqual(
          holders.map(({ owner }) => owner),
          ["live 3"],
        );
      }));
  });
}

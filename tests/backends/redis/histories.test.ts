import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { inspect } from "node:util";
import { memoryBackend } from "../../../src/backends/memory/index.ts";
import { keyId, type Key } from "../../../src/base/keys.ts";
import type {
  Backend,
  Granted,
  Group,
  LockState,
  Outcome,
  Result,
  Session,
  StoredRecord,
} from "../../../src/port/index.ts";
import type { Place } from "../../../src/testing/suite.ts";
import { Random } from "../../chaos/support/random.ts";
import { redisSubject } from "../../support/redis/subjects.ts";
import { times, World, type MakeGroup } from "./support/model-worlds.ts";

const seeds = [1, 2].map((seed) => Number(process.env["MODEL_SEED"] ?? 20_261_123) + seed);
const worlds = 60;
const rounds = 2;

/** A backend, and what it has said of grants: each differs in them, and each has to keep their order. */
class Side {
  readonly #backend: Backend;
  readonly #sessions: readonly Session[];
  readonly #known = new Map<string, number>();
  /** Who has waited since its last grant. */
  readonly #waited = new Set<string>();
  readonly #highest = new Map<string, number>();

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#sessions = [backend.session(), backend.session()];
  }

  /** Runs one group of each world at once; what each gave, without what may differ. */
  async run(makes: readonly MakeGroup[], session: number): Promise<readonly unknown[]> {
    const groups = makes.map((make) => make((lock, owner) => this.#knownOf(lock, owner) || 1));
    const deadline = this.#backend.time.monotonic() + 30_000;
    const outcomes = await (this.#sessions[session] as Session).execute(groups, { deadline, claim: () => true });
    return groups.map((group, i) => this.#plain(group, outcomes[i] as Outcome));
  }

  #plain(group: Group, outcome: Outcome): unknown {
    if (outcome.ok) return group.ops.map((_, i) => this.#result(group, i, outcome.results[i]));
    switch (outcome.why) {
      case "failed":
        return { failed: String(outcome.error), sent: outcome.sent };
      case "conflict":
        return { ...outcome, current: plainRecord(outcome.current) };
      case "fenced":
        return outcome;
      case "held": {
        const op = group.ops[outcome.at];
        if (op?.op === "acquire" && op.wait) this.#waited.add(idOf(op.lock, op.owner));
        return { ...outcome, state: this.#state(lockOf(group, outcome.at), outcome.state) };
      }
    }
  }

  #result({ ops }: Group, i: number, result: Result): unknown {
    const op = ops[i];
    switch (op?.op) {
      case "get":
        return plainRecord(result as StoredRecord | undefined);
      case "acquire": {
        const { grant } = result as Granted;
        const isSame = this.#known.get(idOf(op.lock, op.owner)) === grant;
        // One that waited may have been granted it before others were.
        const least = this.#waited.has(idOf(op.lock, op.owner))
          ? this.#knownOf(op.lock, op.owner)
          : this.#high(op.lock);
        if (!isSame) assert.ok(grant > least, `the grant ${grant} is above ${least}`);
        this.#learn(op.lock, op.owner, grant);
        return { granted: isSame ? "again" : "anew" };
      }
      case "extend":
        assert.equal((result as Granted).grant, Math.max(op.grant, op.raise ?? 0));
        this.#learn(op.lock, op.owner, (result as Granted).grant);
        return "extended";
      case "steal":
      case "inspect":
        return this.#state(op.lock, result as LockState);
      default:
        return result;
    }
  }

  #state(lock: Key, { holders, waiting }: LockState): unknown {
    const plain = holders.map(({ owner, mode, info, grant, remainingMs }) => {
      const known = this.#knownOf(lock, owner);
      assert.ok(grant >= known, `${owner} held ${known}, and now ${grant}`);
      return { owner, mode, info, isKnown: grant === known, lasts: lasts(remainingMs) };
    });
    for (const { owner, grant } of holders) this.#learn(lock, owner, grant);
    return { holders: plain, waiting };
  }

  #knownOf(lock: Key, owner: string): number {
    return this.#known.get(idOf(lock, owner)) ?? 0;
  }

  #high(lock: Key): number {
    return this.#highest.get(keyId(lock)) ?? 0;
  }

  #learn(lock: Key, owner: string, grant: number): void {
    assert.ok(Number.isSafeInteger(grant), `${grant}`);
    this.#known.set(idOf(lock, owner), grant);
    this.#waited.delete(idOf(lock, owner));
    if (grant > this.#high(lock)) this.#highest.set(keyId(lock), grant);
  }
}

function idOf(lock: Key, owner: string): string {
  return `${keyId(lock)} ${owner}`;
}

function lockOf({ ops }: Group, at: number): Key {
  const op = ops[at];
  assert.ok(op && "lock" in op);
  return op.lock;
}

function lasts(ms: number): string {
  assert.ok(ms >= 0 && ms <= times.long, `${ms} ms remain`);
  return ms <= times.short ? "short" : "long";
}

function plainRecord(record: StoredRecord | undefined): unknown {
  if (record === undefined) return undefined;
  const { expiresAt } = record;
  return { ...record, expiresAt: expiresAt === undefined ? "never" : lasts(Math.max(0, expiresAt - Date.now() - 10)) };
}

/** One line; a key is the name of its space. */
function shown(step: unknown): string {
  const replace = (_: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && "space" in value ? (value.space as Key["space"]).id : value;
  return JSON.stringify(step, replace);
}

describe("Redis and the rules of the memory backend", () => {
  let place: Place;
  before(async () => {
    place = await redisSubject("redis", "redis").place();
  });
  after(async () => {
    await place.close();
  });

  /** Plays one history; how many steps it had, or undefined where the machine was too slow to compare what is short. */
  async function play(seed: number): Promise<number | undefined> {
    const random = new Random(seed);
    const all = Array.from({ length: worlds }, (_, i) => new World(seed * 100 + i, random));
    const memory = memoryBackend();
    const redis = place.backend();
    const sides = [new Side(memory), new Side(redis)] as const;
    // What a call costs once is no part of the short times.
    await Promise.all([memory.open(), redis.open()]);
    const histories: string[][] = all.map(() => []);
    let steps = 0;
    try {
      for (let round = 0; round <= rounds; round++) {
        const begun = performance.now();
        for (; performance.now() < begun + times.steps; steps++) {
          const makes = all.map((world) => world.next());
          const session = random.int(0, 2);
          const [expected, actual] = await Promise.all(sides.map(async (side) => side.run(makes, session)));
          if (performance.now() > begun + times.stalled) return undefined;
          for (const [i, make] of makes.entries()) {
            const { ops, guards } = make(() => 0);
            histories[i]?.push(shown({ session, ops, guards, gave: expected?.[i] }));
            assert.deepEqual(
              actual?.[i],
              expected?.[i],
              `\n${histories[i]?.join("\n")}\n${inspect({ actual: actual?.[i] }, { depth: 9, breakLength: Infinity })}`,
            );
            const [op] = ops;
            if (op?.op === "acquire" && Array.isArray(expected?.[i])) all[i]?.granted(op.lock, op.owner);
          }
        }
        if (round === rounds) break;
        await pause(times.elapse);
        // A lock whose hold was made shorter than its waiters were told is passed on when somebody comes for it.
        for (const side of sides) {
          for (const i of [0, 1] as const) {
            await side.run(
              all.map(({ locks }) => () => ({ ops: [{ op: "inspect", lock: locks[i] }] })),
              0,
            );
          }
        }
      }
      return steps;
    } finally {
      await Promise.all([memory.close(), redis.close()]);
    }
  }

  for (const seed of seeds) {
    it(`give the same outcomes for random histories, many in one batch (seed ${seed})`, async () => {
      let steps: number | undefined;
      for (let i = 0; steps === undefined && i < 5; i++) steps = await play(seed + 1_000 * i);
      assert.ok(steps !== undefined && steps > 3 * rounds, `${steps} steps`);
    });
  }
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { decide } from "../../../src/backends/common/decide.ts";
import { keyId, type Key } from "../../../src/base/keys.ts";
import type { Time } from "../../../src/base/time.ts";
import type {
  Backend,
  Capabilities,
  Granted,
  Group,
  LockState,
  Outcome,
  Result,
  Session,
  StoredRecord,
} from "../../../src/port/index.ts";
import type { Subject } from "../../../src/testing/suite.ts";
import { MapView } from "../../backends/common/support/map-view.ts";
import { Random } from "../../chaos/support/random.ts";
import { times, World, type MakeGroup } from "./worlds.ts";

const seeds = [1, 2].map((seed) => Number(process.env["MODEL_SEED"] ?? 20_261_123) + seed);
const worlds = 60;
const rounds = 2;

/** Runs groups: a session of a backend, or the rules themselves. */
type Runs = (groups: readonly Group[]) => Promise<readonly Outcome[]>;

function backendRuns(backend: Backend): readonly Runs[] {
  return [backend.session(), backend.session()].map(
    (session: Session): Runs =>
      async (groups) =>
        session.execute(groups, { deadline: backend.time.monotonic() + 30_000, claim: () => true }),
  );
}

/** What must become of groups: `decide`, on plain tables. */
function rulesRun(time: Time): readonly Runs[] {
  const view = new MapView();
  return ["one", "other"].map((session): Runs => async (groups) => {
    [view.wall, view.now] = [time.wall(), time.monotonic()];
    return groups.map((group) => decide(view, group, session));
  });
}

/** What runs groups, and what it has said of grants: each differs in them, and each has to keep their order. */
class Side {
  readonly #sessions: readonly Runs[];
  readonly #wall: () => number;
  readonly #known = new Map<string, number>();
  /** Who has waited since its last grant. */
  readonly #waited = new Set<string>();
  readonly #highest = new Map<string, number>();

  constructor(sessions: readonly Runs[], wall: () => number) {
    this.#sessions = sessions;
    this.#wall = wall;
  }

  /** Runs one group of each world at once; what each gave, without what may differ. */
  async run(makes: readonly MakeGroup[], session: number): Promise<readonly unknown[]> {
    const groups = makes.map((make) => make((lock, owner) => this.#knownOf(lock, owner) || 1));
    const outcomes = await (this.#sessions[session] as Runs)(groups);
    return groups.map((group, i) => this.#plain(group, outcomes[i] as Outcome));
  }

  #plain(group: Group, outcome: Outcome): unknown {
    if (outcome.ok) return group.ops.map((_, i) => this.#result(group, i, outcome.results[i]));
    switch (outcome.why) {
      case "failed":
        return { failed: String(outcome.error), sent: outcome.sent };
      case "conflict":
        return { ...outcome, current: this.#record(outcome.current) };
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
        return this.#record(result as StoredRecord | undefined);
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

  #record(record: StoredRecord | undefined): unknown {
    if (record === undefined) return undefined;
    const { expiresAt } = record;
    const end = expiresAt === undefined ? "never" : lasts(Math.max(0, expiresAt - this.#wall() - 10));
    return { ...record, expiresAt: end };
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

/** One line; a key is the name of its space. */
function shown(step: unknown): string {
  const replace = (_: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && "space" in value ? (value.space as Key["space"]).id : value;
  return JSON.stringify(step, replace);
}

/** Whether all that a history asks for is promised, as far as a world does not look itself. */
const plays = ({ exclusion, reads, fence }: Capabilities): boolean =>
  exclusion !== "none" && reads !== "eventual" && fence !== "none";

/** How many steps a history had; undefined where the machine was too slow to compare what is short. */
async function play(subject: Subject, seed: number): Promise<number | undefined> {
  const random = new Random(seed);
  const place = await subject.place();
  try {
    const backend = place.backend();
    const { time } = backend;
    // What a call costs once is no part of the short times.
    const { capabilities } = await backend.open();
    if (!plays(capabilities)) return Infinity;
    const wall = (): number => time.wall();
    const all = Array.from(
      { length: worlds },
      (_, i) => new World({ index: seed * 100 + i, random, capabilities, wall }),
    );
    const sides = [new Side(rulesRun(time), wall), new Side(backendRuns(backend), wall)] as const;
    const histories: string[][] = all.map(() => []);
    let steps = 0;
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
      await place.elapse(times.elapse);
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
    await place.close();
  }
}

/** Compares a backend with the rules that all have in common: random groups of two sessions, many in one batch. */
export function compareHistories(subject: Subject): void {
  describe(`random histories on ${subject.name}`, { concurrency: seeds.length }, () => {
    for (const seed of seeds) {
      it(`have the outcomes that the rules say (seed ${seed})`, async (t) => {
        let steps: number | undefined;
        for (let i = 0; steps === undefined && i < 8; i++) steps = await play(subject, seed + 1_000 * i);
        if (steps === Infinity) return t.skip(`${subject.name} promises neither locks nor records`);
        assert.ok(steps !== undefined && steps > rounds, `${steps} steps`);
      });
    }
  });
}

import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { drawId } from "../../base/ids.ts";
import type { Key } from "../../base/keys.ts";
import type { Group, Operation, Outcome } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, keeps, lock, okOf, record, transacts } from "./client.ts";

const long = 600_000;

function set(key: string, id: string, more: Partial<Operation & { op: "set" }> = {}): Group {
  return { ops: [{ op: "set", key: record(key), id, value: id, ...more }] };
}

/** The places of those that succeeded. Each of the others met what they did. */
function winners(outcomes: readonly Outcome[]): readonly number[] {
  for (const outcome of outcomes) assert.ok(outcome.ok || outcome.why === "conflict", JSON.stringify(outcome));
  return outcomes.flatMap((outcome, i) => (outcome.ok ? [i] : []));
}

/** Changes a record of all of them without a pause, each on what it found last, until it is told to stop. */
async function hammer(client: Client, key: string, isOver: () => boolean): Promise<void> {
  let seen: string | undefined;
  for (; !isOver(); await nextTurn()) {
    const id = drawId();
    const outcome = await client.group(set(key, id, { if: seen === undefined ? { absent: true } : { id: seen } }));
    if (outcome.ok) seen = id;
    else if (outcome.why === "conflict") seen = outcome.current?.id;
  }
}

export const contentionCases: readonly Case[] = [
  {
    title:
      "of sessions of one backend that write one key at once on one version one wins, and of blind writes one is left",
    proves: "port: Condition; Session",
    when: keeps,
    async run(context) {
      const backend = context.place.backend();
      const clients = Array.from({ length: 6 }, () => new Client(backend));
      /** The same key in a batch of each, between others that are its own. */
      const all = async (make: (i: number) => Group): Promise<readonly Outcome[]> =>
        Promise.all(
          clients.map(async (client, i) => {
            const neighbours = ["a", "b"].map((name) => set(`${name} of ${i}`, drawId()));
            const [first, outcome, last] = await client.groups([neighbours[0], make(i), neighbours[1]] as Group[]);
            okOf(first as Outcome);
            okOf(last as Outcome);
            return outcome as Outcome;
          }),
        );
      for (let round = 0; round < 6; round++) {
        const key = `round ${round}`;
        const created = winners(await all((i) => set(key, `created ${i}`, { if: { absent: true } })));
        assert.equal(created.length, 1, `created by ${created.join()}`);
        const id = `created ${created[0]}`;
        assert.equal((await clients[round]?.get(record(key)))?.id, id);
        const replaced = winners(await all((i) => set(key, `replaced ${i}`, { if: { id } })));
        assert.equal(replaced.length, 1, `replaced by ${replaced.join()}`);
        assert.equal((await clients[round]?.get(record(key)))?.id, `replaced ${replaced[0]}`);
        const blind = winners(await all((i) => set(key, `blind ${i}`)));
        assert.equal(blind.length, clients.length, "a blind write meets nothing");
        const left = await clients[round]?.get(record(key));
        assert.match(left?.id ?? "nothing", /^blind \d$/);
        assert.equal(left?.value, left?.id, "one of them as a whole");
        const deleted = await all(() => ({ ops: [{ op: "delete", key: record(key) }] }));
        assert.equal(deleted.filter((outcome) => okOf(outcome)[0] === true).length, 1, "it was deleted once");
      }
    },
  },
  {
    title: "of sessions of one backend that acquire one lock at once one holds it",
    proves: "port: acquire",
    when: excludes,
    async run(context) {
      const backend = context.place.backend();
      const clients = Array.from({ length: 6 }, () => new Client(backend));
      for (let round = 0; round < 6; round++) {
        const key = lock(`round ${round}`);
        const outcomes = await Promise.all(
          clients.map(async (client, i) => client.tryAcquire(key, `${i}`, { ttl: long })),
        );
        const holders = outcomes.flatMap((outcome, i) => (outcome.ok ? [`${i}`] : []));
        assert.equal(holders.length, 1, `held by ${holders.join()}`);
        assert.deepEqual(await clients[round]?.holders(key), holders);
      }
    },
  },
  {
    title: "a contended record or lock holds up none of its neighbours in a batch",
    proves: "port: Session.execute; one group's failure is never another's",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      let over = false;
      const rivals = Array.from({ length: 4 }, () => Client.of(context));
      const hammering = Promise.all(rivals.map(async (rival) => hammer(rival, "hot", () => over)));
      const neighbours = (): Group[] => Array.from({ length: 6 }, (_, i) => set(`neighbour ${i}`, drawId()));
      /** How long the last neighbour waited for its outcome, in ms. */
      const slowest = async (groups: readonly Group[]): Promise<number> => {
        const begun = performance.now();
        const told = new Map<number, number>();
        const deadline = client.backend.time.monotonic() + 30_000;
        const settled = (i: number): void => void told.set(i, performance.now() - begun);
        const outcomes = await client.session.execute(groups, { deadline, claim: () => true, settled });
        const end = performance.now() - begun;
        for (const outcome of outcomes.slice(0, 6)) okOf(outcome);
        return Math.max(...Array.from({ length: 6 }, (_, i) => told.get(i) ?? end));
      };
      try {
        // Both beside the same rivals, in turns, so that a busy machine is as slow to both.
        let [alone, beside] = [0, 0];
        for (let i = 0; i < 10; i++) {
          alone = Math.max(alone, await slowest(neighbours()));
          const hot = [set("hot", drawId())];
          if (excludes(context.capabilities))
            hot.push({ ops: [acquire(lock("hot"), `${i}`, { ttl: long, claimMs: long })] });
          beside = Math.max(beside, await slowest([...neighbours(), ...hot]));
        }
        const most = context.unit + 4 * alone;
        assert.ok(beside <= most, `a neighbour waited ${beside.toFixed()} ms, alone ${alone.toFixed()} ms`);
      } finally {
        over = true;
        await hammering;
      }
    },
  },
  {
    title: "of two groups that each change what the other one checks one takes effect, whether it is there or not",
    proves: "state 6: one atomic group",
    when: transacts,
    async run(context) {
      const [one, other] = [Client.of(context), Client.of(context)];
      for (let round = 0; round < 30; round++) {
        const [a, b] = [record(`{t}${round} a`), record(`{t}${round} b`)];
        const exists = round % 2 === 0;
        const ids = exists ? new Map([a, b].map((key) => [key, drawId()])) : undefined;
        for (const [key, id] of ids ?? []) await one.ok({ op: "set", key, id, value: "old" });
        const group = (checked: Key, written: Key): Group => {
          const id = ids?.get(checked);
          const check: Operation = { op: "check", key: checked, if: id === undefined ? { absent: true } : { id } };
          return { ops: [check, { op: "set", key: written, id: drawId(), value: "new" }] };
        };
        const won = winners(await Promise.all([one.group(group(a, b)), other.group(group(b, a))]));
        assert.equal(won.length, 1, `round ${round}: ${won.length} took effect`);
      }
    },
  },
  {
    title: "groups of several clients that write the same keys, each in an order of its own, all take effect",
    proves: "state 6: one atomic group",
    when: transacts,
    async run(context) {
      const clients = [Client.of(context), Client.of(context), Client.of(context)];
      const keys = Array.from({ length: 8 }, (_, i) => record(`{t}shared ${i}`));
      await Promise.all(
        clients.map(async (client, c) => {
          for (let i = 0; i < 25; i++) {
            // Four of them, from another one on, forth or back.
            const four = Array.from({ length: 4 }, (_, k) => keys[(i * (c + 1) + (i % 2 ? k : 8 - k)) % 8] as Key);
            const ops = four.map((key): Operation => ({ op: "set", key, id: drawId(), value: "v", ttl: "keep" }));
            okOf(await client.group({ ops }));
          }
        }),
      );
    },
  },
];

import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { drawId } from "../../base/ids.ts";
import { isHoldfastError } from "../../base/errors.ts";
import { keyId, type Key } from "../../base/keys.ts";
import type { Condition, Group, Operation, Outcome } from "../../port/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { Client, keeps, okOf, record } from "./client.ts";

/**
 * Writes the same keys again and again, each time on the version that it found last. So whatever anybody else wrote in
 * between is found, however soon it is written over.
 */
class Chain {
  /** Versions of others that took effect. */
  readonly found = new Set<string>();
  readonly #last = new Map<string, string | undefined>();

  /** The condition that a key is as this chain found it last. */
  asFound(key: Key): Condition {
    const id = this.#last.get(keyId(key));
    return id === undefined ? { absent: true } : { id };
  }

  async pass(client: Client, keys: readonly Key[]): Promise<void> {
    const groups = keys.map((key): Group & { ops: [Operation & { op: "set" }] } => ({
      ops: [{ op: "set", key, id: drawId(), value: "chain", if: this.asFound(key) }],
    }));
    for (const [i, outcome] of (await client.groups(groups)).entries()) {
      const { key, id } = (groups[i] as (typeof groups)[0]).ops[0];
      if (outcome.ok) {
        this.#last.set(keyId(key), id);
        continue;
      }
      assert.ok(outcome.why === "conflict", outcome.why);
      if (outcome.current) this.found.add(outcome.current.id);
      this.#last.set(keyId(key), outcome.current?.id);
    }
  }
}

/**
 * How long after `deadline` a call settles, in ms beyond what a timer of the same moment is late. Where the process
 * stood still, the call's own timer may be served first, so that other one gets a turn.
 */
async function overdue({ backend }: Client, deadline: number, call: Promise<unknown>): Promise<number> {
  const { time } = backend;
  let timer = deadline;
  const alarm = time.after(deadline - time.monotonic(), () => (timer = time.monotonic()));
  await call;
  const settled = time.monotonic();
  await new Promise((resolve) => setTimeout(resolve, 1));
  alarm.clear();
  return settled - Math.max(timer, deadline);
}

/** How long a call takes here, in ms: the longest of three, and at least half a millisecond. */
async function usual(client: Client, call: () => Promise<unknown>): Promise<number> {
  let longest = 0.5;
  for (let i = 0; i < 3; i++) {
    const begun = client.backend.time.monotonic();
    await call();
    longest = Math.max(longest, client.backend.time.monotonic() - begun);
  }
  return longest;
}

/** Rounds of a case: enough to meet the moment, and no more than a slow store does in some seconds. */
function* rounds(most: number, ms: number): Generator<number> {
  const end = performance.now() + ms;
  for (let i = 0; i < most && (i < 8 || performance.now() < end); i++) yield i;
}

/** What a call was told of each of its groups, and how late it was told. */
async function hurried(
  client: Client,
  groups: readonly Group[],
  ms: number,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly late: number }> {
  const deadline = client.backend.time.monotonic() + ms;
  const call = client.session.execute(groups, { deadline, claim: () => true });
  const late = await overdue(client, deadline, call);
  return { outcomes: await call, late };
}

const lists = (capabilities: CaseContext["capabilities"]): boolean => keeps(capabilities) && capabilities.list;

export const deadlineCases: readonly Case[] = [
  {
    title: "what is said to be unsent never takes effect, also when its deadline comes while it is under way",
    proves: "port: Outcome failed, sent false; Session.execute settles soon after deadline",
    when: keeps,
    async run(context) {
      const [client, other] = [Client.of(context), Client.of(context)];
      const chain = new Chain();
      const keysOf = (round: number): Key[] => Array.from({ length: 24 }, (_, i) => record(`${round}.${i}`));
      const time = await usual(client, async () => chain.pass(client, keysOf(-1)));
      const [taken, unsent, used] = [new Set<string>(), new Set<string>(), [] as Key[]];
      for (const round of rounds(48, 2_000)) {
        const keys = keysOf(round);
        used.push(...keys);
        // Some are contended for while they are written, some are there before.
        await chain.pass(other, keys.slice(0, 16));
        const ids = keys.map(() => drawId());
        const groups = keys.map((key, i): Group => {
          const set = { op: "set", key, id: ids[i] as string, value: "v" } as const;
          if (i < 8) return { ops: [i % 2 === 0 ? set : { ...set, ttl: "keep" }] };
          return { ops: [{ ...set, if: chain.asFound(key) }] };
        });
        let over = false;
        const contending = (async () => {
          for (; !over; await nextTurn()) await chain.pass(other, keys.slice(0, 8));
        })();
        const { outcomes, late } = await hurried(client, groups, ((round % 12) / 6) * time);
        over = true;
        await contending;
        assert.ok(late < context.unit, `it was told ${late.toFixed()} ms after its deadline`);
        for (const [i, outcome] of outcomes.entries()) {
          if (outcome.ok) taken.add(ids[i] as string);
          else if (outcome.why !== "failed" || !outcome.sent) unsent.add(ids[i] as string);
        }
      }
      // What goes the same way later, twice, and what another one finds then.
      for (const one of [client, client, other]) {
        for (let i = 0; i < used.length; i += 200) await chain.pass(one, used.slice(i, i + 200));
      }
      const wrong = [...unsent].filter((id) => chain.found.has(id));
      assert.deepEqual(
        wrong,
        [],
        `${wrong.length} of ${unsent.size} that were said to be unsent or refused took effect`,
      );
      const lost = [...taken].filter((id) => !chain.found.has(id));
      assert.deepEqual(lost, [], `${lost.length} of ${taken.size} that were acknowledged did not take effect`);
    },
  },
  {
    title: "a call whose backend does not get open in time settles soon after its deadline",
    proves: "port: Session.execute settles soon after deadline",
    async run(context) {
      for (const ms of [0, 1, 4]) {
        const client = Client.of(context);
        const group: Group = { ops: [{ op: "set", key: record(`${ms}`), id: drawId(), value: "v" }] };
        const { outcomes, late } = await hurried(client, [group], ms);
        assert.ok(late < context.unit, `it was told ${late.toFixed()} ms after its deadline`);
        const [outcome] = outcomes as [Outcome];
        assert.ok(outcome.ok || (outcome.why === "failed" && isHoldfastError(outcome.error)));
      }
    },
  },
  {
    title: "a page has a deadline, and settles soon after it",
    proves: "port: Session.page",
    when: lists,
    async run(context) {
      const writer = Client.of(context);
      const keys = Array.from({ length: 200 }, (_, i) => record(`k${i}`));
      const writes = keys.map((key): Group => ({ ops: [{ op: "set", key, id: drawId(), value: "v".repeat(2_000) }] }));
      for (const outcome of await writer.groups(writes)) okOf(outcome);
      const query = { space: record("k").space, prefix: "", limit: 1_000 };
      const hurry = async (client: Client, ms: number): Promise<void> => {
        const deadline = client.backend.time.monotonic() + ms;
        const call = client.session.page(query, { deadline }).catch((error: unknown) => {
          assert.ok(isHoldfastError(error), String(error));
        });
        const late = await overdue(client, deadline, call);
        assert.ok(late < context.unit, `it settled ${late.toFixed()} ms after its deadline`);
      };
      const time = await usual(writer, async () => writer.session.page(query, { deadline: Infinity }));
      for (const round of rounds(24, 1_000)) await hurry(writer, ((round % 8) / 4) * time);
      // Its backend is not open yet.
      for (const ms of [0, 1, 4]) await hurry(Client.of(context), ms);
      const { records } = await writer.session.page(query, { deadline: writer.backend.time.monotonic() + 30_000 });
      assert.ok(records.length > 0, "what was given up broke nothing");
    },
  },
];

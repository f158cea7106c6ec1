import assert from "node:assert/strict";
import { keyId } from "../../base/keys.ts";
import type { Granted } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, grantOf, lock, okOf, record, transacts } from "./client.ts";
import { nastyKeys } from "./records.ts";

const key = lock("k");
const long = 600_000;

export const lockCases: readonly Case[] = [
  {
    title: "one owner holds a lock, the next one after its release",
    proves: "locks 1: one holder",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      await a.acquire(key, "a", { ttl: long, info: "label of a" });
      for (const client of [a, b]) {
        const { at, ahead, state } = await client.refused("held", { ops: [acquire(key, "b", { ttl: long })] });
        assert.deepEqual([at, ahead, state.waiting], [0, 0, 0]);
        const [holder] = state.holders;
        assert.deepEqual([holder?.owner, holder?.info, holder?.mode], ["a", "label of a", "exclusive"]);
        assert.ok(holder && holder.remainingMs > 0 && holder.remainingMs <= long);
      }
      assert.equal(await b.release(key, "b"), false, "only the owner releases");
      assert.deepEqual(await b.holders(key), ["a"]);
      assert.equal(await a.release(key, "a"), true);
      assert.equal(await a.release(key, "a"), false);
      await b.acquire(key, "b", { ttl: long });
    },
  },
  {
    title: "of many who ask at once one is granted, again and again",
    proves: "locks 1: one holder",
    when: excludes,
    async run(context) {
      const clients = Array.from({ length: 8 }, () => Client.of(context));
      for (let round = 0; round < 10; round++) {
        const outcomes = await Promise.all(
          clients.map((client, i) => client.tryAcquire(key, `${round}.${i}`, { ttl: long })),
        );
        const winners = outcomes.flatMap((outcome, i) => (outcome.ok ? [i] : []));
        assert.equal(winners.length, 1, `holders: ${winners.join()}`);
        await clients[winners[0] as number]?.release(key, `${round}.${winners[0]}`);
      }
    },
  },
  {
    title: "a repeated acquire keeps the grant and arms the ttl anew",
    proves: "locks 7: replay",
    when: excludes,
    async run(context) {
      const { unit, place } = context;
      const [a, b] = [Client.of(context), Client.of(context)];
      const grant = await a.acquire(key, "a", { ttl: 6 * unit });
      await place.elapse(2 * unit);
      assert.equal(await b.acquire(key, "a", { ttl: long, info: "again" }), grant, "whoever sends it");
      await place.elapse(6 * unit);
      assert.deepEqual(await b.holders(key), ["a"]);
      assert.equal((await b.inspect(key)).holders[0]?.info, "again");
      assert.equal(await a.release(key, "a"), true, "it was one hold");
      assert.deepEqual(await b.holders(key), []);
    },
  },
  {
    title: "a lease ends by itself after its ttl",
    proves: "port: acquire ttl",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const grant = await a.acquire(key, "a", { ttl: context.unit });
      await context.place.elapse(context.unit + 1);
      assert.deepEqual(await b.holders(key), []);
      assert.equal(await a.release(key, "a"), false);
      await a.refused("fenced", { ops: [{ op: "extend", lock: key, owner: "a", grant, ttl: long }] });
      assert.ok((await b.acquire(key, "b", { ttl: long })) > grant);
      assert.equal(await a.release(key, "a"), false, "a late release frees nobody else's");
      assert.deepEqual(await b.holders(key), ["b"]);
    },
  },
  {
    title: "extend arms the ttl of its own lease only",
    proves: "port: extend",
    when: excludes,
    async run(context) {
      const { unit, place } = context;
      const [a, b] = [Client.of(context), Client.of(context)];
      const grant = await a.acquire(key, "a", { ttl: 6 * unit });
      for (const [owner, its] of [
        ["b", grant],
        ["a", grant + 1],
        ["a", grant - 1],
      ] as const) {
        const refused = await b.refused("fenced", { ops: [{ op: "extend", lock: key, owner, grant: its, ttl: long }] });
        assert.equal(refused.at, 0);
      }
      await a.refused("fenced", { ops: [{ op: "extend", lock: lock("other"), owner: "a", grant, ttl: long }] });
      await place.elapse(unit);
      assert.equal(grantOf(await a.extend(key, "a", grant, long)), grant);
      await place.elapse(6 * unit);
      assert.deepEqual(await b.holders(key), ["a"]);
      assert.equal(grantOf(await a.extend(key, "a", grant, unit)), grant, "a shorter ttl holds too");
      await place.elapse(unit + 1);
      assert.deepEqual(await b.holders(key), []);
    },
  },
  {
    title: "grants rise across release, expiry, steal and other owners",
    proves: "locks 2: the grant rises",
    when: (capabilities) => capabilities.fence !== "none",
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      let last = 0;
      const rises = (grant: number): void => {
        assert.ok(grant > last, `${grant} is above ${last}`);
        last = grant;
      };
      for (let i = 0; i < 20; i++) {
        const client = i % 2 ? a : b;
        rises(await client.acquire(key, `${i}`, { ttl: long }));
        await client.release(key, `${i}`);
      }
      rises(await a.acquire(key, "expires", { ttl: context.unit }));
      await context.place.elapse(context.unit + 1);
      rises(await b.acquire(key, "stolen", { ttl: long }));
      await a.steal(key);
      rises(await a.acquire(key, "after", { ttl: long }));
      await a.release(key, "after");
      rises(await b.acquire(key, "after", { ttl: long }));
    },
  },
  {
    title: "raise lifts a lease's grant, and what comes after is above",
    proves: "port: extend raise",
    when: excludes,
    async run(context) {
      const client = Client.of(context);
      const grant = await client.acquire(key, "a", { ttl: long });
      assert.equal(grantOf(await client.extend(key, "a", grant, long, grant - 1)), grant, "never lower");
      assert.equal(grantOf(await client.extend(key, "a", grant, long, grant + 5_000_000)), grant + 5_000_000);
      assert.equal((await client.inspect(key)).holders[0]?.grant, grant + 5_000_000);
      await client.refused("fenced", { ops: [{ op: "extend", lock: key, owner: "a", grant, ttl: long }] });
      await client.extend(key, "a", grant + 5_000_000, long);
      assert.equal(await client.acquire(key, "a", { ttl: long }), grant + 5_000_000);
      await client.release(key, "a");
      assert.ok((await client.acquire(key, "b", { ttl: long })) > grant + 5_000_000);
    },
  },
  {
    title: "several locks are acquired all or none, and raised together",
    proves: "locks 8: several keys",
    when: (capabilities) => transacts(capabilities) && excludes(capabilities),
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const keys = ["{t}1", "{t}2", "{t}3"].map((name) => lock(name));
      const ops = (owner: string) => keys.map((one) => acquire(one, owner, { ttl: long }));
      await b.acquire(lock("{t}2"), "b", { ttl: long });
      const { at } = await a.refused("held", { ops: ops("a") });
      assert.equal(at, 1);
      for (const name of ["{t}1", "{t}3"]) assert.deepEqual(await a.holders(lock(name)), []);
      await b.release(lock("{t}2"), "b");
      const grants = (await a.ok(...ops("a"))) as Granted[];
      const raise = Math.max(...grants.map((one) => one.grant)) + 1;
      const raised = await a.ok(
        ...keys.map((one, i) => ({
          op: "extend" as const,
          lock: one,
          owner: "a",
          grant: grants[i]?.grant ?? 0,
          ttl: long,
          raise,
        })),
      );
      assert.deepEqual(
        raised.map((one) => (one as Granted).grant),
        [raise, raise, raise],
      );
      await b.refused("held", { ops: ops("b") });
      await a.ok(...keys.map((one) => ({ op: "release" as const, lock: one, owner: "a" })));
      await b.ok(...ops("b"));
    },
  },
  {
    title: "a marked owner acquires no more, for as long as told",
    proves: "locks 7: a mark",
    when: excludes,
    async run(context) {
      const client = Client.of(context);
      await client.acquire(key, "held", { ttl: long });
      assert.equal(await client.release(key, "held", 10 * context.unit), true);
      assert.equal(await client.release(key, "late", 10 * context.unit), false, "also one that holds nothing yet");
      assert.equal(await client.release(lock("unused"), "late", long), false);
      for (const owner of ["held", "late"]) {
        const { at } = await client.refused("fenced", { ops: [acquire(key, owner, { ttl: long })] });
        assert.equal(at, 0);
        await client.refused("fenced", { ops: [acquire(key, owner, { ttl: long, claimMs: long })] });
      }
      await client.refused("fenced", { ops: [acquire(lock("unused"), "late", { ttl: long })] });
      await client.acquire(key, "other", { ttl: long });
      await client.release(key, "other");
      await context.place.elapse(10 * context.unit + 1);
      await client.acquire(key, "late", { ttl: long });
    },
  },
  {
    title: "steal ends every hold, tells the state before, and fences who held",
    proves: "locks 10: forceRelease",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      assert.deepEqual(await b.steal(key), { holders: [], waiting: 0 });
      const grant = await a.acquire(key, "a", { ttl: long, info: "x" });
      const before = await b.steal(key);
      assert.deepEqual([before.holders.length, before.holders[0]?.owner, before.holders[0]?.grant], [1, "a", grant]);
      assert.deepEqual(await b.holders(key), []);
      await a.refused("fenced", { ops: [{ op: "extend", lock: key, owner: "a", grant, ttl: long }] });
      assert.equal(await a.release(key, "a"), false);
      assert.ok((await a.acquire(key, "a", { ttl: long })) > grant, "even for the same owner");
    },
  },
  {
    title: "inspect of an unused lock shows nobody",
    proves: "port: inspect",
    when: excludes,
    async run(context) {
      assert.deepEqual(await Client.of(context).inspect(key), { holders: [], waiting: 0 });
    },
  },
  {
    title: "every key is a lock of its own, in its own space, beside records",
    proves: "every call 4: every other key works",
    when: excludes,
    async run(context) {
      const client = Client.of(context);
      const keys = [...nastyKeys.map((name) => lock(name)), lock("a", "once"), lock("a", "shared")];
      const outcomes = await client.groups(keys.map((one) => ({ ops: [acquire(one, keyId(one), { ttl: long })] })));
      for (const outcome of outcomes) okOf(outcome);
      for (const one of keys) assert.deepEqual(await client.holders(one), [keyId(one)]);
      await client.set(record("a"), "v");
      assert.equal((await client.get(record("a")))?.value, "v");
    },
  },
];

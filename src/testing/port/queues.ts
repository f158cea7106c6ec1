import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Group, Outcome } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, lock, okOf } from "./client.ts";

const key = lock("k");
const long = 600_000;
/** A waiter that stays alive for the whole case. */
const patient = { ttl: long, claimMs: long };

export const queueCases: readonly Case[] = [
  {
    title: "waiters are served in the order they came, across clients",
    proves: "port: acquire wait; locks 7",
    when: excludes,
    async run(context) {
      const clients = Array.from({ length: 5 }, () => Client.of(context));
      await clients[0]?.acquire(key, "0", { ttl: long });
      for (let i = 1; i < 5; i++) {
        const { ahead, state } = await (clients[i] as Client).wait(key, `${i}`, patient);
        assert.deepEqual([ahead, state.waiting, state.holders[0]?.owner], [i - 1, i, "0"]);
      }
      for (let i = 1; i < 5; i++) {
        assert.equal(await clients[i - 1]?.release(key, `${i - 1}`), true);
        assert.deepEqual(await clients[0]?.holders(key), [`${i}`], "the first in the queue holds it at once");
        for (let other = i + 1; other < 5; other++) {
          const { ahead } = await (clients[other] as Client).wait(key, `${other}`, patient);
          assert.equal(ahead, other - i - 1);
        }
        await clients[i]?.acquire(key, `${i}`, { ttl: long });
      }
    },
  },
  {
    title: "nobody overtakes a waiter, also not who does not wait",
    proves: "port: nobody who waits is before it",
    when: excludes,
    async run(context) {
      const [a, b, c] = [Client.of(context), Client.of(context), Client.of(context)];
      await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "b", patient);
      await a.release(key, "a");
      await c.refused("held", { ops: [acquire(key, "c", { ttl: long })] });
      await a.refused("held", { ops: [acquire(key, "a again", { ttl: long })] });
      await b.acquire(key, "b", { ttl: long });
    },
  },
  {
    title: "a handed-over grant is confirmed under the same grant, which is above the one before",
    proves: "port: release",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const first = await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "b", { ttl: long, claimMs: 8 * context.unit, info: "b's" });
      await a.release(key, "a");
      const [holder] = (await a.inspect(key)).holders;
      assert.equal(holder?.owner, "b");
      assert.ok(holder.remainingMs <= 8 * context.unit, "until it is confirmed it lasts for its claim");
      assert.ok(holder.grant > first);
      assert.equal(await b.acquire(key, "b", { ttl: long }), holder.grant);
      await context.place.elapse(8 * context.unit + 1);
      assert.deepEqual(await a.holders(key), ["b"]);
    },
  },
  {
    title: "a grant that is not confirmed passes to the next after its claim",
    proves: "locks 7: a dead one costs at most one short claim",
    when: excludes,
    async run(context) {
      const { place, unit } = context;
      const [a, dead, live] = [Client.of(context), Client.of(context), Client.of(context)];
      await a.acquire(key, "a", { ttl: long });
      await dead.wait(key, "dead", { ttl: long, claimMs: 8 * unit });
      await live.wait(key, "live", patient);
      await a.release(key, "a");
      assert.deepEqual(await a.holders(key), ["dead"]);
      await place.elapse(8 * unit + 1);
      assert.deepEqual(await a.holders(key), ["live"]);
      assert.equal(await dead.release(key, "dead"), false);
      await live.acquire(key, "live", { ttl: long });
    },
  },
  {
    title: "a waiter that does not refresh its claim is no longer waited for",
    proves: "locks 7: no ghost",
    when: excludes,
    async run(context) {
      const { place, unit } = context;
      const [a, live] = [Client.of(context), Client.of(context)];
      await a.acquire(key, "a", { ttl: long });
      await a.wait(key, "dead 1", { ttl: long, claimMs: 6 * unit });
      await a.wait(key, "dead 2", { ttl: long, claimMs: 6 * unit });
      assert.equal((await live.wait(key, "live", patient)).ahead, 2);
      await place.elapse(6 * unit + 1);
      const { ahead, state } = await live.wait(key, "live", patient);
      assert.deepEqual([ahead, state.waiting], [0, 1]);
      await a.release(key, "a");
      assert.deepEqual(await a.holders(key), ["live"]);
    },
  },
  {
    title: "a repeated wait keeps its place and its life",
    proves: "port: at its old place if it was",
    when: excludes,
    async run(context) {
      const { place, unit } = context;
      const [a, b, c] = [Client.of(context), Client.of(context), Client.of(context)];
      await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "b", { ttl: long, claimMs: 8 * unit });
      await c.wait(key, "c", patient);
      for (let i = 0; i < 3; i++) {
        await place.elapse(3 * unit);
        const { ahead, state } = await b.wait(key, "b", { ttl: long, claimMs: 8 * unit });
        assert.deepEqual([ahead, state.waiting], [0, 2]);
      }
      await a.release(key, "a");
      assert.deepEqual(await a.holders(key), ["b"]);
    },
  },
  {
    title: "a waiter that releases leaves the queue",
    proves: "locks 7: a cancelled waiter leaves no ghost",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      await a.acquire(key, "a", { ttl: long });
      await b.wait(key, "gone", patient);
      await b.wait(key, "b", patient);
      assert.equal(await b.release(key, "gone"), false, "it held nothing");
      assert.equal((await a.inspect(key)).waiting, 1);
      await a.release(key, "a");
      assert.deepEqual(await a.holders(key), ["b"]);
      assert.equal(await b.release(key, "b"), true, "a grant that nobody wants is given back");
      assert.deepEqual(await a.inspect(key), { holders: [], waiting: 0 });
    },
  },
  {
    title: "an expired or stolen lease passes to the first who waits",
    proves: "port: steal passes the lock on",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const grant = await a.acquire(key, "a", { ttl: 6 * context.unit });
      await b.wait(key, "b", patient);
      await context.place.elapse(6 * context.unit + 1);
      await a.refused("held", { ops: [acquire(key, "late", { ttl: long })] });
      assert.ok((await b.acquire(key, "b", { ttl: long })) > grant);
      await a.wait(key, "c", patient);
      const before = await a.steal(key);
      assert.deepEqual([before.holders[0]?.owner, before.waiting], ["b", 1]);
      assert.deepEqual(await a.holders(key), ["c"]);
    },
  },
  {
    title: "a lone waiter that asks again is granted a lock that is free",
    proves: "port: acquire",
    when: excludes,
    async run(context) {
      const client = Client.of(context);
      await client.acquire(key, "a", { ttl: 6 * context.unit });
      await client.wait(key, "b", patient);
      await context.place.elapse(6 * context.unit + 1);
      await client.acquire(key, "b", { ttl: long, claimMs: long });
      assert.deepEqual(await client.inspect(key).then((state) => [state.holders.length, state.waiting]), [1, 0]);
    },
  },
  {
    title: "a release and an acquire that waits go in one call, and whichever comes first the lock is passed on",
    proves: "port: execute",
    when: excludes,
    async run(context) {
      const [client, other] = [Client.of(context), Client.of(context)];
      const release = (owner: string): Group => ({ ops: [{ op: "release", lock: key, owner }] });
      const waits = (owner: string): Group => ({ ops: [acquire(key, owner, patient)] });
      await client.acquire(key, "a", { ttl: long });
      const [released, first] = await client.groups([release("a"), waits("b")]);
      assert.deepEqual(okOf(released as Outcome), [true]);
      if (first?.ok !== true) await client.acquire(key, "b", patient);
      const [, second] = await client.groups([waits("c"), release("b")]);
      if (second?.ok !== true) await client.acquire(key, "c", patient);
      assert.deepEqual(await other.inspect(key).then((state) => [state.holders[0]?.owner, state.waiting]), ["c", 0]);
      await other.wait(key, "d", patient);
      await client.groups([release("c"), waits("e")]);
      assert.deepEqual(await other.inspect(key).then((state) => [state.holders[0]?.owner, state.waiting]), ["d", 1]);
    },
  },
  {
    title: "clients that pass a lock around are never two, and all get it",
    proves: "locks 1 and 7: under contention",
    when: excludes,
    async run(context) {
      const clients = Array.from({ length: 6 }, () => Client.of(context));
      let holding = 0;
      const rounds = 5;
      let served = 0;
      await Promise.all(
        clients.map(async (client, c) => {
          for (let round = 0; round < rounds; round++) {
            const owner = `${c}.${round}`;
            for (let tries = 0; !(await client.tryAcquire(key, owner, patient)).ok; tries++) {
              assert.ok(tries < 3_000, "a waiter is never served");
              await nextTurn();
            }
            assert.equal(++holding, 1, "two holders");
            await client.inspect(key);
            holding--;
            served++;
            assert.equal(await client.release(key, owner), true);
          }
        }),
      );
      assert.equal(served, rounds * clients.length);
      assert.deepEqual(await clients[0]?.inspect(key), { holders: [], waiting: 0 });
    },
  },
];

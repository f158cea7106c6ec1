import assert from "node:assert/strict";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, lock } from "./client.ts";

const key = lock("k");
const long = 600_000;
const shared = { ttl: long, mode: "shared" } as const;

export const sharedCases: readonly Case[] = [
  {
    title: "shared holders hold together, an exclusive one alone",
    proves: "port: LockMode",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const grants = [await a.acquire(key, "r1", shared), await b.acquire(key, "r2", shared)];
      assert.ok((grants[1] as number) > (grants[0] as number), "each has a grant of its own");
      await a.refused("held", { ops: [acquire(key, "w", { ttl: long })] });
      assert.deepEqual(await a.holders(key), ["r1", "r2"]);
      await a.release(key, "r1");
      await a.refused("held", { ops: [acquire(key, "w", { ttl: long })] });
      await b.release(key, "r2");
      await a.acquire(key, "w", { ttl: long });
      await b.refused("held", { ops: [acquire(key, "r3", shared)] });
      assert.equal((await b.inspect(key)).holders[0]?.mode, "exclusive");
    },
  },
  {
    title: "at most as many shared holders as the limit",
    proves: "locks 10: semaphores",
    when: excludes,
    async run(context) {
      const clients = [Client.of(context), Client.of(context)];
      const semaphore = { ...shared, limit: 3 };
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (clients[i % 2] as Client).tryAcquire(key, `${i}`, semaphore)),
      );
      assert.equal(outcomes.filter((outcome) => outcome.ok).length, 3);
      const held = await clients[0]?.holders(key);
      assert.equal(held?.length, 3);
      await clients[0]?.release(key, held[0] as string);
      await clients[1]?.acquire(key, "next", semaphore);
      await clients[0]?.refused("held", { ops: [acquire(key, "more", semaphore)] });
      await clients[0]?.acquire(key, "a larger limit", { ...shared, limit: 4 });
    },
  },
  {
    title: "a released permit goes to the first who waits",
    proves: "locks 10: semaphores",
    when: excludes,
    async run(context) {
      const client = Client.of(context);
      const semaphore = { ...shared, limit: 2 };
      await client.acquire(key, "1", semaphore);
      await client.acquire(key, "2", semaphore);
      await client.wait(key, "3", { ...semaphore, claimMs: long });
      await client.wait(key, "4", { ...semaphore, claimMs: long });
      await client.release(key, "1");
      assert.deepEqual(await client.holders(key), ["2", "3"]);
      await client.refused("held", { ops: [acquire(key, "5", semaphore)] });
      await client.release(key, "2");
      assert.deepEqual(await client.holders(key), ["3", "4"]);
    },
  },
  {
    title: "a writer that waits is not starved by readers who come later, who then come in together",
    proves: "port: nobody who waits is before it",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      await a.acquire(key, "r1", shared);
      await b.wait(key, "w", { ttl: long, claimMs: long });
      await a.refused("held", { ops: [acquire(key, "r2", shared)] });
      for (const reader of ["r2", "r3"]) await a.wait(key, reader, { ...shared, claimMs: long });
      await a.wait(key, "w2", { ttl: long, claimMs: long });
      await a.release(key, "r1");
      assert.deepEqual(await a.holders(key), ["w"]);
      await b.release(key, "w");
      assert.deepEqual(await a.holders(key), ["r2", "r3"], "all readers in front of the next writer");
      assert.equal((await a.inspect(key)).waiting, 1);
      await a.release(key, "r2");
      assert.deepEqual(await a.holders(key), ["r3"]);
      await a.release(key, "r3");
      assert.deepEqual(await a.holders(key), ["w2"]);
    },
  },
  {
    title: "a writer that gives up, or dies, lets the readers behind it in",
    proves: "locks 7: no ghost",
    when: excludes,
    async run(context) {
      const { place, unit } = context;
      const [a, b] = [Client.of(context), Client.of(context)];
      await a.acquire(key, "r1", shared);
      await b.wait(key, "w1", { ttl: long, claimMs: long });
      await a.wait(key, "r2", { ...shared, claimMs: long });
      await b.release(key, "w1");
      assert.deepEqual(await a.holders(key), ["r1", "r2"]);
      await b.wait(key, "w2", { ttl: long, claimMs: 6 * unit });
      await a.wait(key, "r3", { ...shared, claimMs: long });
      await place.elapse(6 * unit + 1);
      assert.deepEqual(await a.holders(key), ["r1", "r2", "r3"]);
    },
  },
  {
    title: "the hold of one owner is stolen, and the others stay",
    proves: "port: steal of an owner",
    when: excludes,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const semaphore = { ...shared, limit: 2 };
      const grants = [await a.acquire(key, "1", semaphore), await a.acquire(key, "2", semaphore)];
      await b.wait(key, "3", { ...semaphore, claimMs: long });
      const none = await b.steal(key, "nobody");
      assert.deepEqual([none.holders.length, none.waiting], [2, 1], "one that does not hold it changes nothing");
      await b.steal(key, "3");
      assert.deepEqual(await a.holders(key), ["1", "2"]);
      const before = await b.steal(key, "1");
      assert.deepEqual(before.holders.map(({ owner }) => owner).toSorted(), ["1", "2"]);
      assert.deepEqual(await a.holders(key), ["2", "3"], "it passes on");
      await a.refused("fenced", {
        ops: [{ op: "extend", lock: key, owner: "1", grant: grants[0] as number, ttl: long }],
      });
      assert.equal((await a.extend(key, "2", grants[1] as number, long)).ok, true);
      await a.release(key, "2");
      assert.ok((await a.acquire(key, "1", semaphore)) > Math.max(...grants));
    },
  },
];

import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import type { Case } from "../suite.ts";
import { Client, excludes, guards, lock, okOf, record, transacts } from "./client.ts";

const key = lock("k");
const long = 600_000;

export const guardCases: readonly Case[] = [
  {
    title: "a guarded write takes effect while the lease is held, by whichever client",
    proves: "locks 3: a guarded write",
    when: guards,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const guard = { lock: key, owner: "a", grant: await a.acquire(key, "a", { ttl: long }) };
      okOf(await a.guarded(guard, record("k"), "1"));
      okOf(await b.guarded(guard, record("k"), "2"));
      assert.equal((await a.get(record("k")))?.value, "2");
      const get = await a.group({ guards: [guard], ops: [{ op: "get", key: record("k") }] });
      okOf(get);
    },
  },
  {
    title: "a guarded write is refused once the lease is lost, however that came",
    proves: "locks 3: only while that lease is held",
    when: guards,
    async run(context) {
      const [a, b] = [Client.of(context), Client.of(context)];
      const refused = async (why: string, owner: string, grant: number): Promise<void> => {
        const outcome = await a.guarded({ lock: key, owner, grant }, record("k"), why);
        assert.ok(!outcome.ok && outcome.why === "fenced", `the write after: ${why}`);
        assert.equal(outcome.at, -1);
        assert.equal(await a.get(record("k")), undefined);
      };
      await refused("never acquired", "a", 1);
      let grant = await a.acquire(key, "a", { ttl: long });
      await refused("another owner", "b", grant);
      await refused("another grant", "a", grant - 1);
      await a.release(key, "a");
      await refused("release", "a", grant);
      const again = await a.acquire(key, "a", { ttl: long });
      await refused("release and acquire by the same owner", "a", grant);
      await b.steal(key);
      await refused("steal", "a", again);
      grant = await a.acquire(key, "expires", { ttl: context.unit });
      await context.place.elapse(context.unit + 1);
      await refused("expiry", "expires", grant);
      await b.acquire(key, "next", { ttl: long });
      await refused("a later holder", "expires", grant);
    },
  },
  {
    title: "every guard is checked, before every condition, and names itself",
    proves: "port: Outcome at",
    when: guards,
    async run(context) {
      const client = Client.of(context);
      const held = { lock: lock("{k}1"), owner: "a", grant: await client.acquire(lock("{k}1"), "a", { ttl: long }) };
      const lost = { lock: lock("{k}2"), owner: "a", grant: 1 };
      const ops = [{ op: "set" as const, key: record("k"), id: drawId(), value: "v", if: { id: "x" } }];
      assert.equal((await client.refused("fenced", { guards: [held, lost], ops })).at, -2);
      assert.equal((await client.refused("fenced", { guards: [lost, held], ops })).at, -1);
      assert.equal((await client.refused("conflict", { guards: [held], ops })).at, 0);
      await client.ok({ op: "release", lock: held.lock, owner: "a" });
    },
  },
  {
    title: "a write and the release of its own lease are one step",
    proves: "port: Group",
    when: (capabilities) => guards(capabilities) && transacts(capabilities),
    async run(context) {
      const client = Client.of(context);
      const guard = { lock: key, owner: "a", grant: await client.acquire(key, "a", { ttl: long }) };
      const group = {
        guards: [guard],
        ops: [
          { op: "set" as const, key: record("k"), id: drawId(), value: "done" },
          { op: "release" as const, lock: key, owner: "a" },
        ],
      };
      assert.deepEqual(okOf(await client.group(group)), [undefined, true]);
      await client.refused("fenced", group);
    },
  },
  {
    title: "no guarded write takes effect after a steal was acknowledged, however many are under way",
    proves: "locks 3: checked in the same atomic group",
    when: guards,
    async run(context) {
      const thief = Client.of(context);
      const writers = Array.from({ length: 4 }, () => Client.of(context));
      for (let round = 0; round < 5; round++) {
        const grant = await thief.acquire(key, `${round}`, { ttl: long });
        const guard = { lock: key, owner: `${round}`, grant };
        const writes = writers.flatMap((writer, w) =>
          Array.from({ length: 8 }, (_, i) => writer.guarded(guard, record(`${w}.${i}`), `${round}`)),
        );
        await thief.steal(key);
        const values = async (): Promise<unknown[]> => {
          const read = writers.flatMap((_, w) => Array.from({ length: 8 }, (__, i) => thief.get(record(`${w}.${i}`))));
          return (await Promise.all(read)).map((found) => found?.value);
        };
        const before = await values();
        await Promise.all(writes);
        assert.deepEqual(await values(), before);
      }
    },
  },
  {
    title: "a guarded group is refused where guards are not declared",
    proves: "port: guard none",
    when: (capabilities) => excludes(capabilities) && capabilities.guard === "none",
    async run(context) {
      const client = Client.of(context);
      const grant = await client.acquire(key, "a", { ttl: long });
      const outcome = await client.guarded({ lock: key, owner: "a", grant }, record("k"), "v");
      assert.ok(!outcome.ok && outcome.why === "failed" && !outcome.sent);
      assert.equal(await client.get(record("k")), undefined);
    },
  },
];

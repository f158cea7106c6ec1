import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import type { Operation, StoredRecord } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { acquire, Client, excludes, keeps, lock, okOf, record, transacts } from "./client.ts";

const long = 600_000;

/** Runs a group of five effects with a refused operation at each place, and proves that none took effect. */
async function allOrNothing(client: Client, why: "conflict" | "fenced" | "held", refused: Operation): Promise<void> {
  const effects = (): Operation[] => [
    { op: "set", key: record("{t}new"), id: drawId(), value: "written" },
    { op: "set", key: record("{t}old"), id: drawId(), value: "overwritten" },
    { op: "delete", key: record("{t}gone") },
    { op: "floor", key: record("{t}fenced"), grant: 9_000, n: 0, keepMs: long },
  ];
  for (let at = 0; at <= effects().length; at++) {
    const [old, gone] = [await client.set(record("{t}old"), "old"), await client.set(record("{t}gone"), "still there")];
    const failed = await client.refused(why, { ops: [...effects().slice(0, at), refused, ...effects().slice(at)] });
    assert.equal(failed.at, at, "names the operation that was refused");
    assert.equal(await client.get(record("{t}new")), undefined);
    assert.equal((await client.get(record("{t}old")))?.id, old);
    assert.equal((await client.get(record("{t}gone")))?.id, gone);
    await client.ok({ op: "floor", key: record("{t}fenced"), grant: 1, n: 0, keepMs: 1 });
  }
}

export const groupCases: readonly Case[] = [
  {
    title: "outcomes come in the order of the groups, and a failure is nobody else's",
    proves: "port: Session.execute",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      assert.deepEqual(await client.groups([]), []);
      await client.set(record("3"), "taken");
      const groups = Array.from({ length: 20 }, (_, i) => ({
        ops: [
          { op: "set", key: record(`${i}`), id: `v${i}`, value: `${i}`, if: { absent: true } },
        ] satisfies Operation[],
      }));
      const outcomes = await client.groups(groups);
      assert.deepEqual(
        outcomes.map((outcome) => outcome.ok),
        groups.map((_, i) => i !== 3),
      );
      const reads = await client.groups(groups.map((_, i) => ({ ops: [{ op: "get", key: record(`${i}`) }] })));
      const values = reads.map((outcome) => (okOf(outcome)[0] as StoredRecord).value);
      assert.deepEqual(
        values,
        groups.map((_, i) => (i === 3 ? "taken" : `${i}`)),
      );
    },
  },
  {
    title: "each group is claimed once, and one that was given up is not sent",
    proves: "port: ExecuteCall.claim",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const asked: number[] = [];
      const groups = Array.from({ length: 6 }, (_, i) => ({
        ops: [{ op: "set", key: record(`${i}`), id: drawId(), value: "v" }] satisfies Operation[],
      }));
      const outcomes = await client.groups(groups, (i) => {
        asked.push(i);
        return i % 2 === 0;
      });
      assert.deepEqual(
        asked.toSorted((a, b) => a - b),
        [0, 1, 2, 3, 4, 5],
      );
      for (const [i, outcome] of outcomes.entries()) {
        if (i % 2 === 0) okOf(outcome);
        else assert.deepEqual(!outcome.ok && outcome.why === "failed" && outcome.sent, false);
        assert.equal((await client.get(record(`${i}`)))?.value, i % 2 === 0 ? "v" : undefined);
      }
      assert.ok(!outcomes[1]?.ok && outcomes[1]?.why === "failed");
    },
  },
  {
    title: "a group refused by a condition changes nothing, wherever in it",
    proves: "port: all or nothing",
    when: transacts,
    async run(context) {
      const client = Client.of(context);
      await allOrNothing(client, "conflict", { op: "check", key: record("{t}other"), if: { id: "x" } });
      await allOrNothing(client, "conflict", {
        op: "set",
        key: record("{t}other"),
        id: "y",
        value: "",
        if: { id: "x" },
      });
      await allOrNothing(client, "conflict", { op: "delete", key: record("{t}other"), if: { id: "x" } });
    },
  },
  {
    title: "a group refused by a fence or a lock changes nothing, wherever in it",
    proves: "port: all or nothing",
    when: (capabilities) => transacts(capabilities) && excludes(capabilities),
    async run(context) {
      const client = Client.of(context);
      await client.ok({ op: "floor", key: record("{t}other"), grant: 5, n: 0, keepMs: long });
      await allOrNothing(client, "fenced", { op: "floor", key: record("{t}other"), grant: 4, n: 0, keepMs: long });
      await client.acquire(lock("{t}k"), "holder", { ttl: long });
      await allOrNothing(client, "held", acquire(lock("{t}k"), "other", { ttl: long }));
      await allOrNothing(client, "fenced", { op: "extend", lock: lock("{t}k"), owner: "other", grant: 1, ttl: long });
    },
  },
  {
    title: "a group writes several records, of several spaces, at once",
    proves: "state 6: one atomic group",
    when: transacts,
    async run(context) {
      const client = Client.of(context);
      await client.set(record("{t}a"), "old");
      const results = await client.ok(
        { op: "set", key: record("{t}a"), id: "1", value: "new" },
        { op: "set", key: record("{t}a", "elsewhere"), id: "2", value: "other" },
        { op: "delete", key: record("{t}none") },
        { op: "get", key: record("{t}a") },
      );
      assert.deepEqual(results.slice(0, 3), [undefined, undefined, false]);
      assert.equal((results[3] as StoredRecord).value, "old", "a read sees the state before the group");
      assert.equal((await client.get(record("{t}a")))?.value, "new");
      assert.equal((await client.get(record("{t}a", "elsewhere")))?.value, "other");
    },
  },
  {
    title: "reads and checks beside a write see the state before the group",
    proves: "port: Group.ops",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const key = record("k");
      const id = await client.set(key, "before");
      const read: Operation = { op: "get", key };
      const first = await client.ok({ op: "set", key, id: "2", value: "after" }, read);
      assert.equal((first[1] as StoredRecord).value, "before");
      const second = await client.ok(read, { op: "delete", key });
      assert.equal((second[0] as StoredRecord).value, "after");
      const third = await client.ok(
        { op: "set", key, id: "3", value: "again" },
        { op: "check", key, if: { absent: true } },
      );
      assert.deepEqual(third, [undefined, undefined]);
      await client.refused("conflict", {
        ops: [
          { op: "delete", key },
          { op: "check", key, if: { id } },
        ],
      });
      assert.equal((await client.get(key))?.value, "again");
    },
  },
  {
    title: "transfers between two records never lose or make money",
    proves: "state 6: one atomic group",
    when: transacts,
    async run(context) {
      const clients = Array.from({ length: 4 }, () => Client.of(context));
      const accounts = [record("{t}a"), record("{t}b"), record("{t}c")];
      for (const account of accounts) await clients[0]?.set(account, "100");
      await Promise.all(
        clients.map(async (client, c) => {
          for (let i = 0; i < 12; i++) {
            const [from, to] = [accounts[(c + i) % 3], accounts[(c + i + 1) % 3]] as [
              (typeof accounts)[0],
              (typeof accounts)[0],
            ];
            const [source, target] = (await client.ok(
              { op: "get", key: from },
              { op: "get", key: to },
            )) as StoredRecord[];
            await client.group({
              ops: [
                {
                  op: "set",
                  key: from,
                  id: drawId(),
                  value: `${Number(source?.value) - 7}`,
                  if: { id: source?.id ?? "" },
                },
                {
                  op: "set",
                  key: to,
                  id: drawId(),
                  value: `${Number(target?.value) + 7}`,
                  if: { id: target?.id ?? "" },
                },
              ],
            });
            const sum = (await client.ok(...accounts.map((key): Operation => ({ op: "get", key })))) as StoredRecord[];
            assert.equal(
              sum.reduce((total, one) => total + Number(one.value), 0),
              300,
            );
          }
        }),
      );
    },
  },
  {
    title: "a group holds as many operations as declared",
    proves: "port: maxGroup",
    when: (capabilities) => transacts(capabilities) && capabilities.maxGroup >= 2,
    async run(context) {
      const client = Client.of(context);
      const count = Math.min(context.capabilities.maxGroup, 1_000);
      const ops = Array.from({ length: count }, (_, i): Operation => ({
        op: "set",
        key: record(`{t}${i}`),
        id: drawId(),
        value: `${i}`,
      }));
      await client.ok(...ops);
      assert.equal((await client.get(record(`{t}${count - 1}`)))?.value, `${count - 1}`);
    },
  },
  {
    title: "a group of several keys is refused where it is not declared",
    proves: "port: transact none",
    when: (capabilities) => keeps(capabilities) && capabilities.transact === "none",
    async run(context) {
      const client = Client.of(context);
      const ops = ["a", "b"].map((key): Operation => ({ op: "set", key: record(key), id: drawId(), value: "v" }));
      const { sent } = await client.refused("failed", { ops });
      assert.equal(sent, false);
      assert.equal(await client.get(record("a")), undefined);
    },
  },
  {
    title: "a group of keys of several tags is refused where only one is declared",
    proves: "port: transact slot",
    when: (capabilities) => keeps(capabilities) && capabilities.transact === "slot",
    async run(context) {
      const client = Client.of(context);
      const ops = ["{t}a", "{u}a"].map((key): Operation => ({ op: "set", key: record(key), id: drawId(), value: "v" }));
      const { sent } = await client.refused("failed", { ops });
      assert.equal(sent, false);
      for (const key of ["{t}a", "{u}a"]) assert.equal(await client.get(record(key)), undefined);
    },
  },
];

import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import type { Case } from "../suite.ts";
import type { Capabilities, Operation } from "../../port/index.ts";
import { Client, keeps, record } from "./client.ts";

const key = record("k");
const long = 600_000;

function floor(grant: number, n = 0, keepMs = long): Operation {
  return { op: "floor", key, grant, n, keepMs };
}

/** Whether fences are kept beside records. */
const fences = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.guard !== "none";

async function refuses(client: Client, grant: number, n = 0): Promise<void> {
  const { at } = await client.refused("fenced", { ops: [floor(grant, n)] });
  assert.equal(at, 0);
}

export const floorCases: readonly Case[] = [
  {
    title: "a lower fence is refused, an equal or higher one is let in and remembered",
    proves: "port: floor",
    when: fences,
    async run(context) {
      const [client, other] = [Client.of(context), Client.of(context)];
      assert.deepEqual(await client.ok(floor(9, 3)), [undefined]);
      await client.ok(floor(9, 3));
      await refuses(other, 9, 2);
      await refuses(other, 8, 1_023);
      await other.ok(floor(9, 10));
      await refuses(client, 9, 9);
      await other.ok(floor(10, 0));
      await refuses(client, 9, 1_000);
    },
  },
  {
    title: "fences are compared as pairs of numbers, up to 2^53",
    proves: "locks 2: compare as the pair",
    when: fences,
    async run(context) {
      const client = Client.of(context);
      const big = 2 ** 53 - 2;
      await client.ok(floor(big, 0));
      await refuses(client, big - 1, 1_023);
      await client.ok(floor(big, 1));
      await refuses(client, big, 0);
      await client.ok(floor(big + 1, 0));
      await refuses(client, big, 1_023);
    },
  },
  {
    title: "a floor is untouched by writes, deletes and expiry of its record",
    proves: "locks 3: a sibling of the entry",
    when: fences,
    async run(context) {
      const client = Client.of(context);
      await client.set(key, "v");
      await client.ok(floor(5));
      assert.equal((await client.get(key))?.value, "v", "a floor does not touch the record either");
      await refuses(client, 4);
      await client.set(key, "again");
      await refuses(client, 4);
      await client.ok({ op: "delete", key });
      await refuses(client, 4);
      await client.set(key, "v", { ttl: context.unit });
      await context.place.elapse(context.unit + context.capabilities.ttlGranularity);
      assert.equal(await client.get(key), undefined);
      await refuses(client, 4);
      await client.ok({ op: "check", key, if: { absent: true } });
    },
  },
  {
    title: "a refused fence refuses the write beside it",
    proves: "locks 3: refuses lower ones",
    when: fences,
    async run(context) {
      const client = Client.of(context);
      const write = (value: string): Operation => ({ op: "set", key, id: drawId(), value });
      await client.ok(floor(5), write("later holder"));
      await client.refused("fenced", { ops: [floor(4), write("late")] });
      await client.refused("fenced", { ops: [write("late"), floor(4)] });
      assert.equal((await client.get(key))?.value, "later holder");
    },
  },
  {
    title: "a refused group raises no floor",
    proves: "port: all or nothing",
    when: fences,
    async run(context) {
      const client = Client.of(context);
      await client.ok(floor(5));
      await client.refused("conflict", { ops: [floor(9), { op: "check", key, if: { id: "x" } }] });
      await client.ok(floor(6));
    },
  },
  {
    title: "a floor is kept for its time from its last call",
    proves: "port: floor keepMs",
    when: fences,
    async run(context) {
      const { place, unit } = context;
      const client = Client.of(context);
      await client.ok(floor(5, 0, 8 * unit));
      await place.elapse(4 * unit);
      await client.ok(floor(5, 0, 8 * unit));
      await place.elapse(5 * unit);
      await refuses(client, 4);
      await place.elapse(8 * unit + context.capabilities.ttlGranularity);
      await client.ok(floor(1));
    },
  },
  {
    title: "fences are refused where guards are not declared",
    proves: "port: guard none",
    when: (capabilities) => keeps(capabilities) && capabilities.guard === "none",
    async run(context) {
      const { sent } = await Client.of(context).refused("failed", { ops: [floor(9)] });
      assert.equal(sent, false);
    },
  },
  {
    title: "a floor beside a write of its key is checked with it, and neither is in the other's way",
    proves: "port: a floor of a key beside one write of it",
    when: fences,
    async run(context) {
      const client = Client.of(context);
      const set = (value: string): Operation => ({ op: "set", key, id: drawId(), value });
      await client.ok(floor(5), set("1"));
      await client.ok(set("2"), floor(6));
      await client.refused("fenced", { ops: [floor(5), set("3")] });
      const { at } = await client.refused("fenced", { ops: [set("3"), floor(5)] });
      assert.equal(at, 1);
      assert.equal((await client.get(key))?.value, "2");
      const conflict: Operation = { op: "set", key, id: drawId(), value: "3", if: { absent: true } };
      await client.refused("conflict", { ops: [floor(9), conflict] });
      assert.deepEqual(await client.ok(floor(6), { op: "touch", key, ttl: long }), [undefined, true]);
      assert.deepEqual(await client.ok({ op: "delete", key }, floor(7)), [true, undefined]);
      await refuses(client, 6);
    },
  },
];

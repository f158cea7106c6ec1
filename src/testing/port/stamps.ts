import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import { keyId, space, type Key } from "../../base/keys.ts";
import type { Stamp } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { Client, keeps } from "./client.ts";

const entry: Key = { space: space("cache", "conformance", "entries"), key: "k" };
const tag = (key: string): Key => ({ space: space("stamp", "conformance", "entries"), key });

async function stampOf(client: Client, key: string, ttl?: number): Promise<Stamp> {
  const options = ttl === undefined ? undefined : { ttl };
  return { key: tag(key), id: await client.set(tag(key), "", options) };
}

async function write(client: Client, stamps: readonly Stamp[] | undefined): Promise<void> {
  await client.ok({ op: "set", key: entry, id: drawId(), value: "v", stamps });
}

export const stampCases: readonly Case[] = [
  {
    title: "a stamped read sees a record while all of its stamps are current",
    proves: "port: get stamped",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      await write(client, [await stampOf(client, "a"), await stampOf(client, "b")]);
      assert.equal((await client.stamped(entry))?.value, "v");
      await stampOf(client, "b");
      assert.equal(await client.stamped(entry), undefined, "another version of a stamp");
      assert.equal((await client.get(entry))?.value, "v", "a plain read does not ask");
    },
  },
  {
    title: "a missing, deleted or expired stamp is not current, and a new one of its key is another",
    proves: "caches: a missing stamp is a miss",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      await write(client, [{ key: tag("never"), id: "x" }]);
      assert.equal(await client.stamped(entry), undefined);
      const deleted = await stampOf(client, "deleted");
      await write(client, [deleted]);
      await client.ok({ op: "delete", key: deleted.key });
      assert.equal(await client.stamped(entry), undefined);
      await stampOf(client, "deleted");
      assert.equal(await client.stamped(entry), undefined, "an evicted stamp that came again revives nothing");
      const expired = await stampOf(client, "expired", context.unit);
      await write(client, [expired]);
      await context.place.elapse(context.unit + context.capabilities.ttlGranularity);
      assert.equal(await client.stamped(entry), undefined);
    },
  },
  {
    title: "each write sets the record's stamps anew",
    proves: "port: set stamps",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const old = await stampOf(client, "a");
      await write(client, [old]);
      await write(client, [{ key: old.key, id: await client.set(old.key, "") }]);
      assert.equal((await client.stamped(entry))?.value, "v");
      await write(client, [old]);
      assert.equal(await client.stamped(entry), undefined);
      await write(client, undefined);
      assert.equal((await client.stamped(entry))?.value, "v", "a record without stamps is current");
      await write(client, []);
      assert.equal((await client.stamped(entry))?.value, "v");
    },
  },
  {
    title: "conditions do not ask for stamps",
    proves: "port: Condition",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      await write(client, [{ key: tag("never"), id: "x" }]);
      await client.refused("conflict", { ops: [{ op: "check", key: entry, if: { absent: true } }] });
    },
  },
  {
    title: "a page shows the stamps that its records were written with",
    proves: "port: Session.page",
    when: (capabilities) => keeps(capabilities) && capabilities.list,
    async run(context) {
      const client = Client.of(context);
      const stamps = [await stampOf(client, "a}"), await stampOf(client, "b: {c} %")];
      await write(client, stamps);
      await stampOf(client, "a}");
      await client.set({ space: entry.space, key: "bare" }, "v");
      const call = { deadline: client.backend.time.monotonic() + 60_000 };
      const { records } = await client.session.page({ space: entry.space, prefix: "", limit: 10 }, call);
      const found = new Map(records.map((record) => [record.key, record.stamps]));
      assert.deepEqual(
        found.get("k"),
        stamps.map(({ key, id }) => ({ key: keyId(key), id })),
      );
      assert.equal(found.get("bare"), undefined);
    },
  },
];

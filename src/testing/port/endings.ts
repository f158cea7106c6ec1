import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import { keyId, space, type Key } from "../../base/keys.ts";
import type { Capabilities, ListedRecord, Operation, Payload, Result, StoredRecord } from "../../port/index.ts";
import type { Case, CaseContext } from "../suite.ts";
import { Client, keeps, record, transacts } from "./client.ts";

const key = record("k");
const tag: Key = { space: space("stamp", "conformance", "records"), key: "tag" };

const watches = (capabilities: Capabilities): boolean => keeps(capabilities) && capabilities.watch !== "none";

type Touch = Omit<Extract<Operation, { op: "touch" }>, "op" | "key">;

async function touch(client: Client, options: Touch, at = key): Promise<Result> {
  return (await client.ok({ op: "touch", key: at, ...options }))[0];
}

async function write(client: Client, value: Payload, stamp?: string): Promise<string> {
  const id = drawId();
  await client.ok({ op: "set", key, id, value, stamps: stamp === undefined ? undefined : [{ key: tag, id: stamp }] });
  return id;
}

/** An end in `ms` from now, by the clock of the server. */
async function endIn(client: Client, ms: number): Promise<number> {
  await client.set(record("clock"), "", { ttl: ms });
  return (await client.get(record("clock")))?.expiresAt ?? Number.NaN;
}

function assertEnd({ capabilities }: CaseContext, found: StoredRecord | undefined, end: number): void {
  const off = Math.abs((found?.expiresAt ?? Infinity) - end);
  assert.ok(off <= capabilities.ttlGranularity, `${found?.expiresAt} is ${end}`);
}

export const endingCases: readonly Case[] = [
  {
    title: "a touch gives a record another end; its value and version stay",
    proves: "port: touch",
    when: keeps,
    async run(context) {
      const { place, unit, capabilities } = context;
      const client = Client.of(context);
      const ids = new Map<string, string>();
      for (const name of ["longer", "shorter", "never"])
        ids.set(name, await client.set(record(name), name, { ttl: 2 * unit }));
      assert.equal(await touch(client, { ttl: 100 * unit }, record("longer")), true);
      assert.equal(await touch(client, { ttl: unit }, record("shorter")), true);
      assert.equal(await touch(client, {}, record("never")), true);
      await place.elapse(unit + capabilities.ttlGranularity);
      assert.equal(await client.get(record("shorter")), undefined);
      await place.elapse(2 * unit);
      for (const name of ["longer", "never"]) {
        const found = await client.get(record(name));
        assert.deepEqual([found?.value, found?.id], [name, ids.get(name)]);
      }
      assert.equal((await client.get(record("never")))?.expiresAt, undefined);
      await client.set(record("none"), new Uint8Array([0, 255]));
      assert.equal(await touch(client, { ttl: unit }, record("none")), true);
      assert.deepEqual((await client.get(record("none")))?.value, new Uint8Array([0, 255]));
      await place.elapse(unit + capabilities.ttlGranularity);
      assert.equal(await client.get(record("none")), undefined, "also one that had no end");
    },
  },
  {
    title: "a touch of what is not there makes nothing",
    proves: "port: the result is whether it was there",
    when: keeps,
    async run(context) {
      const { place, unit, capabilities } = context;
      const client = Client.of(context);
      assert.equal(await touch(client, { ttl: unit }), false);
      assert.equal(await touch(client, { if: { absent: true } }), false);
      assert.equal(await client.get(key), undefined);
      await client.set(key, "v", { ttl: unit });
      await place.elapse(unit + capabilities.ttlGranularity);
      assert.equal(await touch(client, {}), false, "an expired record is absent");
      assert.equal(await client.get(key), undefined);
    },
  },
  {
    title: "a touch whose condition does not hold changes nothing",
    proves: "port: touch if",
    when: keeps,
    async run(context) {
      const { unit } = context;
      const client = Client.of(context);
      const id = await client.set(key, "v");
      const refused: Operation = { op: "touch", key, if: { id: "other" }, ttl: unit };
      const { at, current } = await client.refused("conflict", { ops: [refused] });
      assert.deepEqual([at, current?.id], [0, id]);
      await client.refused("conflict", { ops: [{ ...refused, if: { absent: true } }] });
      assert.equal((await client.get(key))?.expiresAt, undefined);
      assert.equal(await touch(client, { if: { id }, ttl: 100 * unit }), true);
      assert.ok((await client.get(key))?.expiresAt);
      await client.refused("conflict", { ops: [{ ...refused, key: record("missing") }] });
    },
  },
  {
    title: "an end that is given exactly is kept exactly",
    proves: "port: Ttl at",
    when: keeps,
    async run(context) {
      const { place, unit, capabilities } = context;
      const client = Client.of(context);
      const end = await endIn(client, 100 * unit);
      await client.ok({ op: "set", key, id: "1", value: "v", ttl: { at: end } });
      assertEnd(context, await client.get(key), end);
      await client.set(key, "w", { ttl: "keep" });
      assertEnd(context, await client.get(key), end);
      assert.equal(await touch(client, { ttl: { at: end + 50 } }), true);
      assertEnd(context, await client.get(key), end + 50);
      const soon = await endIn(client, 2 * unit);
      assert.equal(await touch(client, { ttl: { at: soon } }), true);
      await place.elapse(2 * unit + capabilities.ttlGranularity);
      assert.equal(await client.get(key), undefined);
    },
  },
  {
    title: "an end that is past writes a record that has expired",
    proves: "port: Ttl at",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      for (const at of [-1, 0, 1, Date.UTC(2001, 0)]) {
        await client.set(key, "v");
        await client.ok({ op: "set", key, id: "1", value: "w", ttl: { at } });
        assert.equal(await client.get(key), undefined, "what was there is gone too");
        await client.ok({ op: "check", key, if: { absent: true } });
        await client.set(key, "v");
        assert.equal(await touch(client, { ttl: { at } }), true);
        assert.equal(await client.get(key), undefined);
        assert.equal(await touch(client, {}), false, "and stays so");
      }
    },
  },
  {
    title: "a stamped touch leaves alone what is not current",
    proves: "port: touch stamped",
    when: keeps,
    async run(context) {
      const { unit } = context;
      const client = Client.of(context);
      const id = await client.set(tag, "");
      await write(client, "v", id);
      assert.equal(await touch(client, { stamped: true, ttl: 100 * unit }), true);
      const found = await client.stamped(key);
      assert.ok(found?.expiresAt, "its stamps stay");
      await client.set(tag, "");
      assert.equal(await touch(client, { stamped: true, ttl: 200 * unit }), false);
      assert.equal((await client.get(key))?.expiresAt, found.expiresAt, "it stays as it is");
      assert.equal(await touch(client, {}), true, "a plain one does not ask");
      assert.equal(await client.stamped(key), undefined);
    },
  },
  {
    title: "a read without the value tells all else",
    proves: "port: get keyOnly",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const read: Operation = { op: "get", key, keyOnly: true };
      assert.deepEqual(await client.ok(read), [undefined]);
      for (const value of ["v".repeat(1_000), new Uint8Array(100)]) {
        const id = await client.set(key, value, { ttl: 100 * context.unit });
        const whole = await client.get(key);
        const [bare] = (await client.ok(read)) as StoredRecord[];
        assert.deepEqual([bare?.key, bare?.id, bare?.value, bare?.expiresAt], [key.key, id, "", whole?.expiresAt]);
      }
      assert.equal(await touch(client, {}), true);
      assert.ok((await client.get(key))?.value instanceof Uint8Array, "the value is as it was");
    },
  },
  {
    title: "a read that shows stamps gives them with a record that is current",
    proves: 'port: get stamped "show"',
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      const show = async (keyOnly: boolean): Promise<ListedRecord | undefined> =>
        (await client.ok({ op: "get", key, stamped: "show", keyOnly }))[0] as ListedRecord | undefined;
      const id = await client.set(tag, "");
      await write(client, "v", id);
      for (const keyOnly of [false, true]) {
        const found = await show(keyOnly);
        assert.equal(found?.value, keyOnly ? "" : "v");
        assert.deepEqual(found.stamps, [{ key: keyId(tag), id }]);
      }
      await write(client, "bare");
      assert.equal((await show(false))?.stamps, undefined);
      await write(client, "v", "not its version");
      assert.equal(await show(false), undefined);
    },
  },
  {
    title: "reads of a group see what its touch and its delete find",
    proves: "port: reads see the state before the group",
    when: transacts,
    async run(context) {
      const { unit } = context;
      const client = Client.of(context);
      const [one, missing] = [record("{t}k"), record("{t}missing")];
      const id = await client.set(one, "v");
      const get: Operation = { op: "get", key: one };
      const [before, touched] = await client.ok(get, { op: "touch", key: one, ttl: 100 * unit });
      assert.deepEqual([(before as StoredRecord).expiresAt, touched], [undefined, true]);
      const [read, removed] = await client.ok(get, { op: "delete", key: one });
      assert.deepEqual([(read as StoredRecord).id, removed], [id, true]);
      await client.set(one, "v");
      const failing: Operation = { op: "check", key: missing, if: { id } };
      await client.refused("conflict", { ops: [{ op: "touch", key: one, ttl: unit }, failing] });
      await client.refused("conflict", { ops: [{ op: "delete", key: one }, failing] });
      assert.equal((await client.get(one))?.expiresAt, undefined, "a group that fails touches and removes nothing");
    },
  },
  {
    title: "whoever watches is told of the end that a touch gave",
    proves: "port: Signal changed",
    when: watches,
    async run(context) {
      const { place, unit, capabilities } = context;
      const [a, b] = [Client.of(context), Client.of(context)];
      await a.set(record("touched"), "v");
      const heard = await b.listen({ changes: key.space, prefix: "" });
      await touch(a, { ttl: unit }, record("touched"));
      await place.elapse(unit + capabilities.ttlGranularity);
      assert.equal(await a.get(record("touched")), undefined);
      await heard.changed("touched");
    },
  },
];

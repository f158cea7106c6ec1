import assert from "node:assert/strict";
import { drawId } from "../../base/ids.ts";
import type { Operation } from "../../port/index.ts";
import type { Case } from "../suite.ts";
import { Client, keeps, record } from "./client.ts";

const key = record("k");

export const expiryCases: readonly Case[] = [
  {
    title: "an expired record is absent at once, to every operation",
    proves: "state 5: expired entries are absent at once",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const client = Client.of(context);
      const names = ["get", "check", "id", "set", "delete", "page"];
      for (const name of names) await client.set(record(name), "v", { ttl: unit });
      const id = (await client.get(record("id")))?.id ?? "";
      await client.set(record("stays"), "v");
      await place.elapse(unit + context.capabilities.ttlGranularity);
      assert.equal(await client.get(record("get")), undefined);
      await client.ok({ op: "check", key: record("check"), if: { absent: true } });
      const conflict = await client.refused("conflict", { ops: [{ op: "check", key: record("id"), if: { id } }] });
      assert.equal(conflict.current, undefined);
      await client.ok({ op: "set", key: record("set"), id: drawId(), value: "new", if: { absent: true } });
      assert.equal((await client.get(record("set")))?.value, "new");
      assert.deepEqual(await client.ok({ op: "delete", key: record("delete") }), [false]);
      if (!context.capabilities.list) return;
      const page = await client.session.page(
        { space: key.space, prefix: "", limit: 100 },
        { deadline: client.backend.time.monotonic() + 30_000 },
      );
      assert.deepEqual(page.records.map((one) => one.key).toSorted(), ["set", "stays"]);
    },
  },
  {
    title: "a record lives for its ttl and says when it ends",
    proves: "port: set ttl, expiresAt",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const client = Client.of(context);
      await client.set(key, "v", { ttl: 8 * unit });
      const first = (await client.get(key))?.expiresAt;
      assert.ok(first !== undefined && Number.isFinite(first));
      await place.elapse(2 * unit);
      const later = await client.get(key);
      assert.equal(later?.value, "v");
      assert.equal(later.expiresAt, first, "the end does not move by itself");
      await client.set(key, "v", { ttl: 8 * unit });
      const second = (await client.get(key))?.expiresAt ?? 0;
      assert.ok(second >= first + 2 * unit - context.capabilities.ttlGranularity, "a new ttl counts from its write");
    },
  },
  {
    title: "a write without a ttl ends the record's",
    proves: "port: set, absent ttl",
    when: keeps,
    async run(context) {
      const client = Client.of(context);
      await client.set(key, "v", { ttl: context.unit });
      await client.set(key, "v");
      assert.equal((await client.get(key))?.expiresAt, undefined);
      await context.place.elapse(2 * context.unit);
      assert.equal((await client.get(key))?.value, "v");
    },
  },
  {
    title: '"keep" keeps what remains',
    proves: 'port: set ttl "keep"',
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const client = Client.of(context);
      await client.set(key, "1", { ttl: 8 * unit });
      const end = (await client.get(key))?.expiresAt;
      await client.set(key, "2", { ttl: "keep" });
      const kept = await client.get(key);
      assert.equal(kept?.value, "2");
      assert.equal(kept.expiresAt, end);
      await client.set(record("none"), "1");
      await client.set(record("none"), "2", { ttl: "keep" });
      assert.equal((await client.get(record("none")))?.expiresAt, undefined);
      await client.set(record("missing"), "1", { ttl: "keep" });
      assert.equal((await client.get(record("missing")))?.expiresAt, undefined);
      await place.elapse(8 * unit + context.capabilities.ttlGranularity);
      assert.equal(await client.get(key), undefined);
      await client.set(key, "3", { ttl: "keep" });
      assert.equal((await client.get(key))?.expiresAt, undefined, "nothing remains of an expired record's");
    },
  },
  {
    title: "a shorter ttl ends a record earlier, a longer one later",
    proves: "port: set ttl",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const client = Client.of(context);
      await client.set(record("shorter"), "v", { ttl: 100 * unit });
      await client.set(record("shorter"), "v", { ttl: unit });
      await client.set(record("longer"), "v", { ttl: unit });
      await client.set(record("longer"), "v", { ttl: 100 * unit });
      await place.elapse(unit + context.capabilities.ttlGranularity);
      assert.equal(await client.get(record("shorter")), undefined);
      assert.equal((await client.get(record("longer")))?.value, "v");
    },
  },
  {
    title: "many records expire, each at its own time",
    proves: "state 5: TTL",
    when: keeps,
    async run(context) {
      const { place, unit } = context;
      const client = Client.of(context);
      const ops = Array.from({ length: 200 }, (_, i): Operation => ({
        op: "set",
        key: record(`${i}`),
        id: drawId(),
        value: "v",
        ttl: i % 2 ? unit : 200 * unit,
      }));
      await client.groups(ops.map((op) => ({ ops: [op] })));
      await place.elapse(unit + context.capabilities.ttlGranularity);
      for (let i = 0; i < 200; i++)
        assert.equal((await client.get(record(`${i}`))) !== undefined, i % 2 === 0, `record ${i}`);
    },
  },
];

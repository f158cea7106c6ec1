import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { bytesArray, textArray } from "../../../src/backends/postgres/arrays.ts";
import { postgresClient } from "../../../src/backends/postgres/client.ts";
import { postgresBackend } from "../../../src/backends/postgres/index.ts";
import { postgresTables } from "../../../src/backends/postgres/migrations.ts";
import { watchTexts } from "../../../src/backends/postgres/signals/telling.ts";
import { postgresSweep } from "../../../src/backends/postgres/sweep.ts";
import type { Reply } from "../../../src/backends/sql/client.ts";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import { Instance } from "../../../src/client/index.ts";
import type { Backend, Operation, StoredRecord } from "../../../src/port/index.ts";
import { StateStore } from "../../../src/state/index.ts";
import { Client, lock, record } from "../../../src/testing/port/client.ts";
import { Changes } from "../../../src/testing/state/client.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { queryPostgres } from "../../support/sql/postgres.ts";
import { sharedServer } from "../../support/sql/shared.ts";

const kind = "postgres15";
const long = 60_000;
const tag: Key = { space: space("stamp", "", "tags"), key: "ä \u0000 \\ '" };
const payloads = [
  "",
  "a\\b'\u0000\u{1f600}",
  '{"a":"\\u0000\\ud800"}',
  '{"n":[1.5e300,-0]}',
  new Uint8Array([0, 92, 255]),
];

describe("statements on Postgres", { skip: lacks(kind) }, () => {
  const made: Backend[] = [];
  after(async () => Promise.all(made.map(async (backend) => backend.close())));

  const clientOf = (url: string): Client => {
    const backend = postgresBackend({ url });
    made.push(backend);
    return new Client(backend);
  };

  it("mean the same whatever a database, or somebody who makes functions in it, has set", async () => {
    const server = await sharedServer(kind);
    const name = "others";
    await server.query(`CREATE DATABASE ${name}`);
    const url = server.url.replace(/[^/]*$/, name);
    await queryPostgres(
      url,
      "CREATE SCHEMA decoy",
      ...["convert_from(bytea, text)", "encode(bytea, text)"].map(
        (call) => `CREATE FUNCTION decoy.${call} RETURNS text LANGUAGE sql AS $$ SELECT 'decoy' $$`,
      ),
      ...["length(text)", "floor(numeric)"].map(
        (call) => `CREATE FUNCTION decoy.${call} RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$`,
      ),
      "CREATE FUNCTION decoy.decode(text, text) RETURNS bytea LANGUAGE sql AS $$ SELECT 'decoy'::bytea $$",
      "CREATE FUNCTION decoy.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$",
      `ALTER DATABASE ${name} SET search_path = decoy, pg_catalog`,
      `ALTER DATABASE ${name} SET timezone = 'Asia/Kolkata'`,
      `ALTER DATABASE ${name} SET datestyle = 'SQL, DMY'`,
      `ALTER DATABASE ${name} SET bytea_output = 'escape'`,
      `ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`,
      `ALTER DATABASE ${name} SET standard_conforming_strings = off`,
      `ALTER DATABASE ${name} SET extra_float_digits = -15`,
      `ALTER DATABASE ${name} SET client_encoding = 'LATIN1'`,
    );
    const client = clientOf(url);
    const begun = Date.now();
    for (const [i, value] of payloads.entries()) {
      const key = record(`${i} \\ ä \u0000`);
      await client.set(key, value, { ttl: long });
      const id = drawId();
      await client.ok({ op: "set", key, id, value, ttl: "keep" });
      const found = (await client.get(key)) as StoredRecord;
      assert.deepEqual([found.key, found.id, found.value], [key.key, id, value]);
      assert.ok((found.expiresAt ?? 0) >= begun + long - 1_000 && (found.expiresAt ?? 0) < Date.now() + long + 1_000);
    }
    const version = await client.set(tag, "");
    const stamped: Operation = {
      op: "set",
      key: record("stamped"),
      id: "x",
      value: "v",
      stamps: [{ key: tag, id: version }],
    };
    await client.ok(stamped);
    assert.equal((await client.stamped(record("stamped")))?.value, "v");
    await client.set(tag, "");
    assert.equal(await client.stamped(record("stamped")), undefined);
    const { records } = await client.session.page(
      { space: record("").space, prefix: "", limit: 100 },
      { deadline: Infinity },
    );
    assert.equal(records.length, payloads.length + 1);
    const grant = await client.acquire(lock("k"), "a", { ttl: long });
    assert.ok(grant > begun * 1_000);
    const { holders } = await client.inspect(lock("k"));
    assert.ok((holders[0]?.remainingMs ?? 0) > long / 2);

    const store = new StateStore<number>(new Instance(client.backend), "watched");
    const changes = await Changes.of(store);
    await store.save("ä \\", 1);
    await changes.state("ä \\", 1);
    await store.saveMany([
      ["ö", 2],
      ["ü", 3],
    ]);
    await changes.state("ö", 2);
    await changes.state("ü", 3);
    await changes.stop();

    const { names } = postgresTables("public", "holdfast_");
    const direct = postgresClient({ url });
    const limit = { deadline: Infinity };
    const texts = watchTexts(names);
    const values = ["w", bytesArray([tag.space.id]), textArray(["c"])];
    for (const isHeld of [null, true]) {
      const reply = await direct.write(() => ({ text: texts.register, values }), limit);
      assert.deepEqual(reply?.rows, [[Buffer.from(tag.space.id).toString("hex"), isHeld]]);
    }
    await client.backend.close(); // or it sweeps
    await queryPostgres(
      url,
      "UPDATE public.holdfast_watchers SET until = 1",
      "UPDATE public.holdfast_locks SET kept_until = 1",
      "UPDATE public.holdfast_records SET expires_at = 1",
      "INSERT INTO public.holdfast_floors VALUES ('', '', 1, 1, 1)",
    );
    const sweep = postgresSweep(names);
    for (const table of sweep.swept) {
      const reply = await direct.write(() => sweep.sweep(table, 100, 0), limit);
      const { count, last } = sweep.removed(reply as Reply);
      assert.ok(count > 0 && last === 1, table);
    }
    await direct.close();
  });

  it("show state records as JSON to whoever queries them, where they are", async () => {
    const { url } = await sharedServer(kind);
    const client = clientOf(url);
    await client.backend.open();
    const state = { space: space("state", "", "orders"), key: "1" };
    const value = JSON.stringify({ total: 12.5, lines: [{ sku: "a" }] });
    await client.set(state, value);
    await client.set({ ...state, key: "2" }, '{"a":"\\u0000"}');
    await client.set({ ...state, key: "3" }, "no JSON");
    const rows = await queryPostgres(
      url,
      "SELECT convert_from(key, 'UTF8') AS key, holdfast_json(value) AS data, " +
        "holdfast_json(value)->'lines'->0->>'sku' AS sku FROM holdfast_records ORDER BY key",
    );
    assert.deepEqual(rows, [
      { key: "1", data: JSON.parse(value), sku: "a" },
      { key: "2", data: null, sku: null },
      { key: "3", data: null, sku: null },
    ]);
  });
});

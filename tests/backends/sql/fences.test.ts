import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { space } from "../../../src/base/keys.ts";
import { Client } from "../../../src/testing/port/client.ts";
import { lacks, sqlKinds } from "../../support/sql/kinds.ts";
import { storeOn, type Store } from "./support/store.ts";

const lock = { space: space("lock", "", "locks"), key: "k" };
const tables = ["locks", "floors", "records"] as const;

/** Acquires and releases the lock a few times; the highest grant. */
async function use(client: Client, owner: string): Promise<number> {
  let highest = 0;
  for (let i = 0; i < 3; i++) {
    const grant = await client.acquire(lock, `${owner}${i}`, { ttl: 60_000 });
    assert.ok(grant > highest, "the next grant is higher");
    highest = grant;
    await client.release(lock, `${owner}${i}`);
  }
  return highest;
}

/** The names of copies of tables. */
function copyOf({ names }: Store, table: string): string {
  return names.other(`${table}_copy`);
}

for (const kind of sqlKinds) {
  void describe(`fences on ${kind}`, { skip: lacks(kind) }, () => {
    it("rise although the tables were emptied", async (t) => {
      const store = await storeOn(t, kind);
      const client = new Client(store.backend());
      let highest = await use(client, "a");
      for (const table of [["locks"], ["locks", "floors", "records"]]) {
        for (const name of table) await store.query(`TRUNCATE TABLE ${store.names[name as (typeof tables)[number]]}`);
        const next = await use(client, "b");
        assert.ok(next > highest);
        highest = next;
      }
      // With what is kept beside them gone as well.
      await store.query(
        `TRUNCATE TABLE ${store.names.locks}`,
        `DELETE FROM ${store.names.meta} WHERE name = 'forgotten'`,
      );
      assert.ok((await use(client, "c")) > highest);
    });

    it("rise although an older copy of the tables was restored, while the process goes on and for another", async (t) => {
      const store = await storeOn(t, kind);
      const client = new Client(store.backend());
      await use(client, "a");
      const { names } = store;
      const kept = [...tables, "meta"] as const;
      for (const table of kept)
        await store.query(`CREATE TABLE ${copyOf(store, table)} AS SELECT * FROM ${names[table]}`);
      const highest = await use(client, "b");
      for (const table of ["locks", "floors", "meta"] as const) {
        await store.query(
          `DELETE FROM ${names[table]}`,
          `INSERT INTO ${names[table]} SELECT * FROM ${copyOf(store, table)}`,
        );
      }
      const next = await use(client, "c");
      assert.ok(next > highest);
      assert.ok((await use(new Client(store.backend()), "d")) > next);
      for (const table of kept) await store.query(`DROP TABLE ${copyOf(store, table)}`);
    });
  });
}

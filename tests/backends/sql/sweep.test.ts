import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Limit, SqlClient } from "../../../src/backends/sql/client.ts";
import type { SetRow, Table } from "../../../src/backends/sql/dialect.ts";
import { Sweep } from "../../../src/backends/sql/sweep.ts";
import { drawId } from "../../../src/base/ids.ts";
import { space, type Key } from "../../../src/base/keys.ts";
import { systemTime } from "../../../src/base/time.ts";
import { Client } from "../../../src/testing/port/client.ts";
import { virtualTime, type VirtualTime } from "../../../src/testing/virtual-time.ts";
import { lacks, type SqlKind } from "../../support/sql/kinds.ts";
import { storeOn, type Store } from "./support/store.ts";

const records = space("state", "", "records");
const locks = space("lock", "", "locks");
const limit = (): Limit => ({ deadline: systemTime.monotonic() + 10_000 });

/** A store, and sweeps on it whose timers run on a virtual clock. */
class World {
  readonly store: Store;
  readonly time: VirtualTime = virtualTime();
  readonly failures: unknown[] = [];
  readonly #t: TestContext;

  constructor(t: TestContext, store: Store) {
    this.#t = t;
    this.store = store;
  }

  /** Begins to sweep. `steps` are the rows that each of its statements was to remove at most. */
  sweep(): { readonly sweep: Sweep; readonly steps: number[] } {
    const { client, dialect } = this.store;
    const steps: number[] = [];
    const counted: SqlClient = {
      ...client,
      read: async (statement) => client.read(statement, limit()),
      write: async (make) => client.write(make, limit()),
    };
    const counting = {
      ...dialect,
      sweep: (...args: Parameters<typeof dialect.sweep>) => {
        steps.push(args[1]);
        return dialect.sweep(...args);
      },
    };
    const failed = (error: unknown): void => void this.failures.push(error);
    const sweep = new Sweep({ time: this.time, client: counted, dialect: counting, failed });
    this.#t.after(async () => sweep.close());
    sweep.start();
    return { sweep, steps };
  }

  async count(table: Table): Promise<number> {
    const [row] = await this.store.query(`SELECT COUNT(*) AS n FROM ${this.store.names[table]}`);
    return Number(row?.["n"]);
  }

  /** Lets time pass on the virtual clock until that is so. */
  async until(otherwise: string, is: () => boolean | Promise<boolean>, step = 500): Promise<void> {
    const end = performance.now() + 20_000;
    while (!(await is())) {
      assert.ok(performance.now() < end, otherwise);
      await this.time.advance(step);
      await pause(1);
    }
  }

  async set(keys: readonly string[], in_: number | undefined): Promise<void> {
    const end = in_ === undefined ? undefined : ({ in: in_ } as const);
    const rows = keys.map((key): SetRow => ({
      key: keyOf(key),
      version: drawId(),
      format: 1,
      value: "v",
      end,
      stamps: undefined,
    }));
    await this.store.client.write(() => this.store.dialect.set(rows), limit());
  }
}

function keyOf(key: string): Key {
  return { space: records, key };
}

function named(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(6, "0")}`);
}

for (const kind of ["postgres15", "mariadb", "mysql"] satisfies SqlKind[]) {
  void describe(`the sweep on ${kind}`, { skip: lacks(kind) }, () => {
    it("removes what is over, in steps of few rows, and nothing else", async (t) => {
      const world = new World(t, await storeOn(t, kind));
      await world.set(named(2_500, "gone"), -1);
      await world.set(named(10, "later"), 600_000);
      await world.set(named(10, "for ever"), undefined);
      const { steps } = world.sweep();
      await world.until("the records are gone", async () => (await world.count("records")) === 20);
      assert.ok(Math.max(...steps) <= 1_000 && steps.length > 5);
      assert.deepEqual(world.failures, []);
    });

    it("removes locks and fence floors that are kept no longer, and a lock's next grant is higher all the same", async (t) => {
      const store = await storeOn(t, kind);
      const world = new World(t, store);
      const client = new Client(store.backend());
      const [lock, held] = [
        { space: locks, key: "idle" },
        { space: locks, key: "held" },
      ];
      await client.acquire(lock, "a", { ttl: 60_000 });
      await client.release(lock, "a");
      await client.acquire(held, "b", { ttl: 600_000 });
      await client.ok({ op: "floor", key: keyOf("old"), grant: 1, n: 0, keepMs: 1 });
      await client.ok({ op: "floor", key: keyOf("kept"), grant: 1, n: 0, keepMs: 600_000 });
      // As if the clock had been ahead when it was granted last, and a day had passed.
      const ahead = 8_000_000_000_000_000;
      const { names } = store;
      const idle = `grant_no < (SELECT g FROM (SELECT MAX(grant_no) AS g FROM ${names.locks}) x)`;
      await store.query(`UPDATE ${names.locks} SET kept_until = 1, grant_no = ${ahead} WHERE ${idle}`);
      // The backend of the client sweeps too, and may have had its look at locks, with the lead for the next minute.
      await store.query(`DELETE FROM ${names.meta} WHERE name = 'sweep'`);
      world.sweep();
      await world.until(
        "both are gone",
        async () => (await world.count("locks")) + (await world.count("floors")) === 2,
      );
      assert.ok((await client.acquire(lock, "c", { ttl: 60_000 })) > ahead);
      assert.deepEqual(await client.holders(held), ["b"]);
      await client.refused("fenced", { ops: [{ op: "floor", key: keyOf("kept"), grant: 0, n: 9, keepMs: 1 }] });
    });

    it("leaves what somebody has locked, and comes back for it", async (t) => {
      const world = new World(t, await storeOn(t, kind));
      const { client, dialect } = world.store;
      await world.set(named(50, "gone"), -1);
      const other = await client.transaction(limit(), "calls");
      const how = { mode: "write", skip: false, values: false } as const;
      await other.run([dialect.lock("records", [keyOf("gone000007")], how)]);
      world.sweep();
      await world.until("the others are gone", async () => (await world.count("records")) === 1);
      other.rollback();
      await world.until("that one, too", async () => (await world.count("records")) === 0, 5_000);
      assert.deepEqual(world.failures, []);
    });

    it("is made by one instance, by another one when that has ended, and when it has died", async (t) => {
      const world = new World(t, await storeOn(t, kind));
      const { names, query } = world.store;
      const lead = async (value: string): Promise<unknown> =>
        query(`UPDATE ${names.meta} SET value = '${value}' WHERE name = 'sweep'`);
      const all = [world.sweep(), world.sweep(), world.sweep()];
      const sweeping = (): typeof all => all.filter(({ steps }) => steps.length > 0);
      await world.until("somebody sweeps", () => sweeping().length > 0);
      const [first] = sweeping() as [(typeof all)[number]];
      await world.until("it goes on", () => first.steps.length >= 40, 1_000);
      assert.equal(sweeping().length, 1);
      await first.sweep.close();
      await world.until("another one has taken over", () => sweeping().length === 2, 1_000);
      // Somebody has the lead who says nothing any more, and its time passes by the server's clock.
      await lead(`dead:${Date.now() + 600_000}`);
      const count = (): number => all.reduce((sum, { steps }) => sum + steps.length, 0);
      for (let quiet = 0, before = count(); quiet < 30; before = count()) {
        await world.time.advance(1_000);
        await pause(2);
        quiet = count() === before ? quiet + 1 : 0;
      }
      await lead("dead:1");
      const before = count();
      await world.until("somebody goes on", () => count() > before, 1_000);
      assert.deepEqual(world.failures, []);
    });

    it("tells of a failure once, and of another one after it had worked again", async (t) => {
      const world = new World(t, await storeOn(t, kind));
      const { names, query } = world.store;
      await world.set(["gone"], -1);
      const elsewhere = names.other("elsewhere");
      const away = async (): Promise<unknown> => query(`ALTER TABLE ${names.floors} RENAME TO ${renamed(elsewhere)}`);
      const back = async (): Promise<unknown> => query(`ALTER TABLE ${elsewhere} RENAME TO ${renamed(names.floors)}`);
      await away();
      const { steps } = world.sweep();
      for (let round = 1; round <= 2; round++) {
        await world.until("it fails", () => world.failures.length === round, 5_000);
        const since = steps.length;
        await world.until("it goes on", () => steps.length > since + 3, 5_000);
        assert.equal(world.failures.length, round);
        await back();
        const before = steps.length;
        await world.until("it works again", () => steps.length > before + 12, 5_000);
        await away();
      }
      await back();
      assert.equal(await world.count("records"), 0);
    });

    /** Postgres names the schema in front of a table, and not of its new name. */
    function renamed(name: string): string {
      return kind === "postgres15" ? (name.split(".").at(-1) ?? name) : name;
    }
  });
}

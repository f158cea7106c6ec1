import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Client as PgClient } from "pg";
import { postgresBackend } from "../../../src/backends/postgres/index.ts";
import { drawId } from "../../../src/base/ids.ts";
import type { Backend, Group, Operation, Outcome } from "../../../src/port/index.ts";
import { acquire, Client, lock, okOf, record } from "../../../src/testing/port/client.ts";
import { until } from "../../support/servers/until.ts";
import { lacks } from "../../support/sql/kinds.ts";
import { drawPrefix } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";

const kind = "postgres15";
const long = 60_000;

function set(key: string, more: Partial<Operation & { op: "set" }> = {}): Group & { ops: [Operation & { op: "set" }] } {
  return { ops: [{ op: "set", key: record(key), id: drawId(), value: "v", ...more }] };
}

/** Runs groups; what became of each, and after how many ms. */
async function timed(
  { backend, session }: Client,
  groups: readonly Group[],
  ms: number,
): Promise<readonly { readonly outcome: Outcome; readonly after: number }[]> {
  const begun = performance.now();
  const told = new Map<number, number>();
  const settled = (i: number): void => void told.set(i, performance.now() - begun);
  const deadline = backend.time.monotonic() + ms;
  const outcomes = await session.execute(groups, { deadline, claim: () => true, settled });
  const end = performance.now() - begun;
  return outcomes.map((outcome, i) => ({ outcome, after: told.get(i) ?? end }));
}

function assertUnsent(outcome: Outcome | undefined): void {
  assert.ok(outcome && !outcome.ok && outcome.why === "failed" && !outcome.sent, JSON.stringify(outcome));
}

describe("rows on Postgres", { skip: lacks(kind) }, () => {
  const prefix = drawPrefix();
  const made: Backend[] = [];
  let url: string;
  const client = (): Client => {
    const backend = postgresBackend({ url, prefix });
    made.push(backend);
    return new Client(backend);
  };
  const query = async (text: string): Promise<readonly Record<string, unknown>[]> =>
    (await sharedServer(kind)).query(text);
  /** Keeps rows locked while `work` runs. */
  const locked = (table: string, work: () => Promise<void>): Promise<void> =>
    beside(`SELECT FROM ${prefix}${table} FOR UPDATE`, work);
  /** Keeps a transaction open while `work` runs. */
  const beside = async (text: string, work: () => Promise<void>): Promise<void> => {
    const other = new PgClient({ connectionString: url });
    await other.connect();
    try {
      await other.query(`BEGIN; ${text}`);
      await work();
    } finally {
      await other.end();
    }
  };

  before(async () => {
    ({ url } = await sharedServer(kind));
    await client().backend.open();
  });
  after(async () => Promise.all(made.map(async (backend) => backend.close())));

  it("one that is locked holds up no read, no page and no neighbour, and what was told unsent never comes", async () => {
    const one = client();
    const id = await one.set(record("hot"), "before");
    await locked("records", async () => {
      const first = performance.now();
      assert.equal((await one.get(record("hot")))?.id, id);
      const { records } = await one.session.page(
        { space: record("hot").space, prefix: "", limit: 10 },
        { deadline: one.backend.time.monotonic() + long },
      );
      assert.equal(records.length, 1);
      assert.ok(performance.now() - first < 5_000, "it waits for nobody");
      const neighbours = Array.from({ length: 20 }, (_, i) => set(`n${i}`));
      for (const hot of [set("hot"), set("hot", { ttl: "keep" }), set("hot", { if: { id } })]) {
        const results = await timed(one, [...neighbours, hot], 4_000);
        for (const { outcome, after: ms } of results.slice(0, -1)) {
          okOf(outcome);
          assert.ok(ms < 3_500, `a neighbour waited ${ms.toFixed()} ms`);
        }
        assertUnsent(results.at(-1)?.outcome);
      }
    });
    const last = await one.set(record("hot"), "after");
    assert.equal((await client().get(record("hot")))?.id, last);
  });

  it("one that somebody is about to insert holds up its own group alone, which then never comes", async () => {
    const one = client();
    const hot = set("being made", { if: { absent: true } });
    const bytes = (text: string): string => `convert_to('${text}', 'UTF8')`;
    const row = `${bytes(record("any").space.id)}, ${bytes("being made")}, ${bytes("theirs")}, 1, ${bytes("theirs")}`;
    await beside(`INSERT INTO ${prefix}records (space, key, version, format, value) VALUES (${row})`, async () => {
      const neighbours = Array.from({ length: 60 }, (_, i) => set(`m${i}`, { ttl: "keep" }));
      const results = await timed(one, [...neighbours.slice(30), hot, ...neighbours.slice(0, 30)], 4_000);
      for (const [i, { outcome, after: ms }] of results.entries()) {
        if (i === 30) continue;
        okOf(outcome);
        assert.ok(ms < 3_500, `a neighbour waited ${ms.toFixed()} ms`);
      }
      assertUnsent(results[30]?.outcome);
    });
    assert.equal(await one.get(record("being made")), undefined);
  });

  it("a lock whose row is locked holds up no other lease", async () => {
    const one = client();
    const grant = await one.acquire(lock("hot"), "a", { ttl: long });
    await locked("locks", async () => {
      const other = await one.acquire(lock("free"), "a", { ttl: long });
      const extend = (name: string, held: number): Group => ({
        ops: [{ op: "extend", lock: lock(name), owner: "a", grant: held, ttl: long }],
      });
      const waits: Group = { ops: [acquire(lock("hot"), "b", { ttl: long, claimMs: long })] };
      const results = await timed(one, [extend("free", other), extend("hot", grant), waits], 4_000);
      okOf(results[0]?.outcome as Outcome);
      assert.ok((results[0]?.after ?? long) < 3_500);
      assertUnsent(results[1]?.outcome);
      assertUnsent(results[2]?.outcome);
    });
    assert.deepEqual(await one.holders(lock("hot")), ["a"]);
  });

  it("rows that were inserted to be locked are gone when their groups have ended", async () => {
    const one = client();
    const groups: Group[] = [
      { ops: [{ op: "delete", key: record("none") }] },
      { ops: [{ op: "touch", key: record("none too"), ttl: long }] },
      { ops: [{ op: "extend", lock: lock("none"), owner: "a", grant: 1, ttl: long }] },
      { ops: [{ op: "inspect", lock: lock("none too") }] },
      { ops: [{ ...set("refused").ops[0], if: { id: "x" } }] },
      {
        ops: [
          { op: "floor", key: record("floor"), grant: 1, n: 1, keepMs: long },
          { op: "check", key: record("floor"), if: { id: "x" } },
        ],
      },
      {
        guards: [{ lock: lock("lost"), owner: "a", grant: 1 }],
        ops: [{ op: "set", key: record("guarded"), id: drawId(), value: "v" }],
      },
      { ops: [acquire(lock("kept"), "a", { ttl: long })] },
    ];
    for (const group of groups) await one.group(group);
    await one.groups(groups);
    const names = "convert_from(key, 'UTF8') AS key";
    assert.deepEqual(await query(`SELECT ${names} FROM ${prefix}records WHERE format = 3`), []);
    assert.deepEqual(await query(`SELECT ${names} FROM ${prefix}locks WHERE body = ''`), []);
    assert.deepEqual(await query(`SELECT ${names} FROM ${prefix}floors WHERE grant_no = 0`), []);
  });

  it("are found by their index, also by a connection that has planned its statements while there were few", async () => {
    const own = drawPrefix();
    const options = { url: `${url}?application_name=${own}`, prefix: own };
    const [maker, backend] = [postgresBackend(options), postgresBackend(options)];
    made.push(maker, backend);
    const connections = `SELECT FROM pg_stat_activity WHERE application_name = '${own}'`;
    const scans = async (): Promise<Readonly<Record<string, number>>> => {
      // The server's side of a connection tells what it has counted when it ends, which may be after the client's side has.
      await until("the connections have ended", async () => (await query(connections)).length === 0);
      const found = await query(`SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname LIKE '${own}%'`);
      return Object.fromEntries(
        found.map((row) => [String(row["relname"]).slice(own.length), Number(row["seq_scan"])]),
      );
    };
    await maker.open();
    await maker.close();
    await query(`VACUUM ANALYZE ${own}records, ${own}locks, ${own}floors`);
    const first = await scans();
    const one = new Client(backend);
    for (let i = 0; i < 8; i++) {
      await one.get(record(`p${i}`));
      await one.set(record(`p${i}`), "v");
      okOf(await one.group(set(`p${i}`, { ttl: "keep" })));
      okOf(await one.group({ ops: [{ op: "touch", key: record(`p${i}`), ttl: long }] }));
      okOf(await one.group({ ops: [{ op: "delete", key: record(`p${i}`) }] }));
      await one.acquire(lock(`p${i}`), "a", { ttl: long });
      await one.release(lock(`p${i}`), "a");
    }
    await backend.close();
    const { watchers = 0, ...others } = await scans();
    const { watchers: watchersFirst = 0, ...othersFirst } = first;
    assert.deepEqual(others, othersFirst);
    // Who watches is few, and no index says when they end: the sweep looks through them all, once a minute.
    assert.ok(watchers - watchersFirst <= 1, `${watchers - watchersFirst} scans of those who watch`);
  });
});

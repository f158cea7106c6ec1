import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../../src/entries/index.ts";
import { refusalFaults } from "../../faults/refusals.ts";
import { until } from "../../servers/until.ts";
import { isPostgres, lacks, startSql, type SqlKind } from "../kinds.ts";
import type { SqlSession } from "../options.ts";

/** What must hold while a server that speaks SQL refuses what it is asked; `says` is what it says then. */
export function sqlRefusals(kind: SqlKind, says: { readonly readOnly: RegExp; readonly full: RegExp }): void {
  refusalFaults(kind, lacks(kind), {
    name: "read-only",
    says: says.readOnly,
    releases: true,
    async start() {
      const server = await startSql(kind);
      return {
        url: await server.appUrl(),
        async begin() {
          await server.setReadOnly(true);
          // On Postgres a session hears of it before its next statement.
          await until("it is read-only", async () => server.isReadOnly());
        },
        end: async () => server.setReadOnly(false),
        stop: async () => server.stop(),
      };
    },
  });

  refusalFaults(kind, lacks(kind), {
    name: "no connection is left",
    says: says.full,
    releases: true,
    async start() {
      const server = await startSql(kind);
      let giveBack: (() => Promise<void>) | undefined;
      return {
        url: await server.appUrl(),
        begin: async () => (giveBack = await server.takeConnections()),
        end: async () => giveBack?.(),
        stop: async () => server.stop(),
      };
    },
  });

  const title = `${kind} gives a connection late: a call that is not answered in time then is told what was in the way`;
  test(title, { skip: lacks(kind), timeout: 60_000 }, async () => {
    const server = await startSql(kind);
    const hf = await connect(await server.appUrl(), { service: "refusals", timeout: "30s" });
    const blocker = await server.session();
    try {
      const orders = hf.state<number>("orders");
      await orders.save("k", 1);
      await hf.lock("l").inspect("k");
      const giveBack = await server.takeConnections();
      const told = { code: "UNAVAILABLE", refused: true, message: says.full };
      // Nothing but the attempts to connect says that the server refuses.
      await assert.rejects(orders.load("k", { timeout: "3s" }), told);
      await blockTables(kind, blocker);
      const late = [orders.load("k", { timeout: "4s" }), hf.lock("l").tryAcquire("k", { timeout: "4s" })];
      const rejected = late.map(async (one) => assert.rejects(one, { refused: true, message: says.full }));
      await giveBack();
      await Promise.all(rejected);
      // What begins when there is a connection has not been refused.
      await assert.rejects(orders.load("k", { timeout: "500ms" }), { code: "UNAVAILABLE", refused: false });
      await blocker.query(isPostgres(kind) ? "ROLLBACK" : "UNLOCK TABLES");
      assert.equal(await orders.load("k"), 1);
    } finally {
      await hf.close();
      await blocker.end();
      await server.stop();
    }
  });
}

/** Nobody else can read or write a row, until it is over. */
async function blockTables(kind: SqlKind, session: SqlSession): Promise<void> {
  const tables = ["holdfast_records", "holdfast_locks"];
  if (isPostgres(kind)) {
    await session.query("BEGIN");
    await session.query(`LOCK TABLE ${tables.join(", ")}`);
  } else await session.query(`LOCK TABLES ${tables.map((name) => `${name} WRITE`).join(", ")}`);
}

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { judge, durabilityOf } from "../../src/backends/postgres/settings/rules.ts";
import type { Account } from "../../src/backends/postgres/settings/account.ts";
import { connect, examine } from "../../src/entries/index.ts";
import { lacks } from "../support/sql/kinds.ts";
import { startPgBouncer } from "../support/sql/pgbouncer.ts";
import { startPostgres, type PostgresServer } from "../support/sql/postgres.ts";
import { report } from "./support/doctor.ts";
import { complaints, findsNothingWrong, judges, type Case } from "./support/sql.ts";

const usual: Readonly<Record<string, string>> = {
  server_encoding: "UTF8",
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  synchronous_standby_names: "",
  autovacuum: "on",
};

function account(settings: Readonly<Record<string, string>> = {}, more: Partial<Account> = {}): Account {
  const all: Readonly<Record<string, string>> = { ...usual, ...settings };
  return {
    version: "16.4",
    level: 160_004,
    standby: false,
    user: "app",
    database: "app",
    clock: { aheadMs: 1, errorMs: 1 },
    standbys: 0,
    setting: (name) => all[name],
    ...more,
  };
}

describe("what is said of a Postgres", () => {
  it("that is set right: nothing is wrong", () => {
    assert.deepEqual(complaints(judge(account())), []);
    assert.equal(durabilityOf(account()), "disk");
  });

  const cases: readonly Case<Account>[] = [
    ["an old one", account({}, { level: 110_022, version: "11.22" }), [/^wrong always: Postgres 11\.22/], "disk"],
    ["a standby", account({}, { standby: true }), [/^wrong never: .*standby/], "disk"],
    ["no UTF-8", account({ server_encoding: "SQL_ASCII" }), [/^wrong always: encoding SQL_ASCII/], "disk"],
    ["fsync off", account({ fsync: "off" }), [/^wrong never: fsync off/], "process"],
    ["full_page_writes off", account({ full_page_writes: "off" }), [/^risk never: full_page_writes/], "process"],
    ["commits that are not waited for", account({ synchronous_commit: "off" }), [/^wrong asked: sync/], "none"],
    ["standbys behind it", account({}, { standbys: 2 }), [/^risk never: 2 standbys, none/], "disk"],
    [
      "synchronous standbys that are not waited for",
      account({ synchronous_standby_names: "*", synchronous_commit: "local" }, { standbys: 1 }),
      [/^risk never: synchronous_commit local/],
      "disk",
    ],
    ["synchronous standbys", account({ synchronous_standby_names: "*" }, { standbys: 1 }), [], "disk"],
    ["read-only", account({ default_transaction_read_only: "on" }), [/^wrong never: default_tr/], "disk"],
    ["hasty", account({ statement_timeout: "200" }), [/^risk never: statement_timeout 200 ms/], "disk"],
    ["impatient", account({ idle_session_timeout: "60000" }), [/^risk never: idle_session_timeout 60 s/], "disk"],
    ["no autovacuum", account({ autovacuum: "off" }), [/^wrong never: autovacuum/], "disk"],
    ["a clock ahead", account({}, { clock: { aheadMs: 5_000, errorMs: 10 } }), [/^risk never: .*5\.0 s ahead/], "disk"],
    ["a user who sees no settings", { ...account(), setting: () => undefined }, [], "none"],
  ];
  judges({ judge, durabilityOf }, cases);
});

describe("holdfast doctor on a Postgres", { skip: lacks("postgres15") }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres({ kind: "postgres15", flushes: true });
  });
  after(async () => server.stop());

  it("says what it is, makes no tables, and finds nothing wrong", async () => {
    const tables = async () => server.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
    await findsNothingWrong({ url: server.url, backend: "postgres", version: /^15\.\d+$/, tables });
  });

  it("names a table that is gone, one that autovacuum leaves alone, and a newer version", async () => {
    const url = `${server.url}?prefix=sick_`;
    await (await connect(url)).close();
    await server.query("DROP TABLE sick_floors", "ALTER TABLE sick_locks SET (autovacuum_enabled = false)");
    const { code, said } = await report(url);
    assert.equal(code, 1);
    const wrong = said.findings.filter(({ level }) => level === "wrong").map(({ what, why }) => `${what}: ${why}`);
    assert.ok(
      wrong.some((one) => /sick_floors is gone/.test(one)),
      wrong.join("\n"),
    );
    assert.ok(
      wrong.some((one) => /sick_locks: autovacuum_enabled false/.test(one)),
      wrong.join("\n"),
    );
    await server.query("UPDATE sick_meta SET value = '9' WHERE name IN ('schema', 'works_for')");
    const newer = (await report(url)).said.findings.find(({ level }) => level === "wrong");
    assert.match(newer?.why ?? "", /newer version/);
  });

  it("says of a user what it may not do, and that it does not see the transactions of others", async () => {
    const url = `${server.url}?prefix=poor_`;
    await (await connect(url)).close();
    await server.query("CREATE ROLE poor LOGIN", "GRANT SELECT ON poor_meta, poor_records TO poor");
    const { code, said } = await report(url.replace("postgres@", "poor@"));
    assert.equal(code, 1);
    const rights = said.findings.find(({ what }) => what === "the user's rights");
    assert.match(rights?.why ?? "", /INSERT, UPDATE, DELETE on poor_records/);
    assert.match(rights?.why ?? "", /SELECT, INSERT, UPDATE, DELETE on poor_locks/);
    assert.ok(said.findings.some(({ level, what }) => level === "unknown" && what === "long transactions"));
    await assert.rejects(connect(url.replace("postgres@", "poor@")), { code: "UNSUPPORTED", message: /poor_locks/ });
  });

  it("opens a server that may lose commits only when told, and declares that", async () => {
    await server.query("CREATE ROLE quick LOGIN SUPERUSER", "ALTER ROLE quick SET synchronous_commit = off");
    const url = server.url.replace("postgres@", "quick@");
    await assert.rejects(connect(url), { code: "UNSUPPORTED", message: /synchronous_commit off.*settings: "warn"/ });
    const hf = await connect(`${url}?settings=warn`);
    assert.equal(hf.capabilities.durability, "none");
    await hf.close();
  });

  it("refuses a database that is not of UTF-8", async () => {
    await server.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    const url = server.url.replace(/[^/]*$/, "latin");
    await assert.rejects(connect(url), { code: "UNSUPPORTED", message: /encoding LATIN1.*UTF8/ });
    const { code } = await report(url);
    assert.equal(code, 1);
  });

  it("sees a standby, which takes no writes", async () => {
    const { findings } = await examine(server.url);
    assert.ok(findings.every(({ what }) => !/standby/.test(what)));
    await server.query("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()");
    const { code, said } = await report(server.url);
    assert.equal(code, 1);
    assert.ok(said.findings.some(({ what }) => what === "default_transaction_read_only on"));
    await server.query(
      "SET default_transaction_read_only = off",
      "ALTER SYSTEM RESET default_transaction_read_only",
      "SELECT pg_reload_conf()",
    );
  });
});

for (const kind of ["pgbouncer118", "pgbouncer126"] as const) {
  describe(`a Postgres behind ${kind}`, { skip: lacks(kind) || lacks("postgres15") }, () => {
    it("is noticed: nobody is woken or told, unless the URL says where to listen", async () => {
      const server = await startPostgres({ kind: "postgres15" });
      const bouncer = await startPgBouncer({ kind, port: server.port });
      try {
        const hf = await connect(bouncer.url);
        assert.deepEqual([hf.capabilities.push, hf.capabilities.watch], [false, "none"]);
        const watching = hf.state("orders").watch();
        await assert.rejects(async () => watching, { code: "UNSUPPORTED", message: /pooler.*listenUrl/ });
        // Whoever waits for a lock asks again.
        const other = await connect(bouncer.url);
        const lease = await hf.lock("orders").acquire("1");
        const waiting = other.lock("orders").acquire("1", { wait: "10s" });
        await lease.release();
        await (await waiting).release();
        await other.close();
        await hf.close();
        const found = await examine(bouncer.url);
        assert.equal(found.findings.find(({ what }) => what === "a pooler in between")?.level, "risk");

        const url = `${bouncer.url}?listenUrl=${encodeURIComponent(server.url)}`;
        const told = await connect(url);
        assert.deepEqual([told.capabilities.push, told.capabilities.watch], [true, "lossy"]);
        await told.close();
        assert.ok((await examine(url)).findings.every(({ what }) => what !== "a pooler in between"));
      } finally {
        await bouncer.stop();
        await server.stop();
      }
    });
  });
}

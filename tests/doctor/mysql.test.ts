import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { durabilityOf, judge } from "../../src/backends/mysql/settings/rules.ts";
import type { Account } from "../../src/backends/mysql/settings/account.ts";
import { connect } from "../../src/entries/index.ts";
import { lacks } from "../support/sql/kinds.ts";
import { startMysql, type MysqlServer } from "../support/sql/mysql.ts";
import { report } from "./support/doctor.ts";
import { complaints, findsNothingWrong, judges, type Case } from "./support/sql.ts";

const usual: Readonly<Record<string, string>> = {
  version: "8.4.2",
  read_only: "OFF",
  innodb_flush_log_at_trx_commit: "1",
  innodb_doublewrite: "ON",
  log_bin: "ON",
  sync_binlog: "1",
  binlog_format: "ROW",
  max_allowed_packet: String(64 * 2 ** 20),
  wait_timeout: "28800",
};

function account(
  variables: Readonly<Record<string, string | undefined>> = {},
  states: Readonly<Record<string, number>> = {},
): Account {
  const all: Readonly<Record<string, string | undefined>> = { ...usual, ...variables };
  return {
    clock: { aheadMs: 1, errorMs: 1 },
    user: "app@%",
    database: "app",
    variable: (name) => all[name],
    status: (name) => states[name],
  };
}

describe("what is said of a MySQL or MariaDB", () => {
  it("that is set right: nothing is wrong", () => {
    assert.deepEqual(complaints(judge(account())), []);
    assert.equal(durabilityOf(account()), "disk");
  });

  const semi = { rpl_semi_sync_source_enabled: "ON" };
  const cases: readonly Case<Account>[] = [
    ["read-only", account({ read_only: "ON" }), [/^wrong never: read_only on/], "disk"],
    ["flushes now and then", account({ innodb_flush_log_at_trx_commit: "2" }), [/^risk never: .* 2/], "process"],
    ["acknowledges early", account({ innodb_flush_log_at_trx_commit: "0" }), [/^wrong asked: .* 0/], "none"],
    ["writes pages once", account({ innodb_doublewrite: "OFF" }), [/^risk never: innodb_doublewrite/], "process"],
    ["a log that is flushed late", account({ sync_binlog: "0" }), [/^risk never: sync_binlog 0/], "process"],
    ["no log at all", account({ log_bin: "OFF", sync_binlog: "0" }), [], "disk"],
    ["a log of statements", account({ binlog_format: "STATEMENT" }), [/^wrong always: binlog_format/], "disk"],
    ["statements that nobody logs", account({ binlog_format: "STATEMENT", log_bin: "OFF" }), [], "disk"],
    ["Galera", account({ wsrep_on: "ON" }), [/^risk never: wsrep_on/], "disk"],
    [
      "a group of many primaries",
      account({ group_replication_group_name: "g", group_replication_single_primary_mode: "OFF" }),
      [/^wrong asked: group_replication_single_primary_mode off/],
      "disk",
    ],
    ["semi-synchronous with nobody", account(semi), [/^risk never: semi-synchronous/], "disk"],
    ["semi-synchronous", account(semi, { Rpl_semi_sync_source_clients: 1 }), [], "disk"],
    ["small packets", account({ max_allowed_packet: "1048576" }), [/^risk never: max_allowed_packet 1.0 MiB/], "disk"],
    ["impatient", account({ wait_timeout: "10" }), [/^risk never: wait_timeout 10/], "disk"],
    ["a server that says nothing of flushing", account({ innodb_flush_log_at_trx_commit: undefined }), [], "none"],
    [
      "a clock behind",
      { ...account(), clock: { aheadMs: -9_000, errorMs: 1 } },
      [/^risk never: .*9\.0 s behind/],
      "disk",
    ],
  ];
  judges({ judge, durabilityOf }, cases);
});

for (const kind of ["mariadb", "mysql"] as const) {
  describe(`holdfast doctor on ${kind}`, { skip: lacks(kind) }, () => {
    let server: MysqlServer;
    before(async () => {
      server = await startMysql({ kind, flushes: true });
    });
    after(async () => server.stop());

    it("says what it is, makes no tables, and finds nothing wrong", async () => {
      const tables = async () => server.query("SHOW TABLES");
      await findsNothingWrong({ url: server.url, backend: "mysql", version: /^\d+\.\d+/, tables });
    });

    it("sees all where sessions are given few rows, and says who has asked, and where", async () => {
      await server.query("SET GLOBAL sql_select_limit = 1");
      try {
        const url = `${server.url}?prefix=few_`;
        const hf = await connect(url);
        assert.equal(hf.capabilities.durability, "disk");
        await hf.state("few").saveMany(["a", "b", "c"].map((key) => [key, 1]));
        assert.equal((await hf.state("few").loadMany(["a", "b", "c"])).size, 3);
        await hf.close();
        const { code, said } = await report(url);
        assert.equal(code, 0);
        assert.equal(said.facts["server"]?.["database"], "holdfast");
        assert.match(String(said.facts["server"]?.["user"]), /^root@/);
        assert.equal(Object.keys(said.facts["tables"] ?? {}).length, 4);
      } finally {
        await server.query("SET GLOBAL sql_select_limit = DEFAULT");
      }
    });

    it("names a table that is gone, and refuses one of another engine", async () => {
      const url = `${server.url}?prefix=sick_`;
      await (await connect(url)).close();
      await server.query("DROP TABLE sick_floors");
      const { code, said } = await report(url);
      assert.equal(code, 1);
      const wrong = said.findings.filter(({ level }) => level === "wrong").map(({ why }) => why);
      assert.match(wrong.join("\n"), /holdfast\.sick_floors is gone/);
      await server.query("ALTER TABLE sick_meta ENGINE = MyISAM");
      await assert.rejects(connect(url), { code: "UNSUPPORTED", message: /sick_meta cannot be made/ });
    });

    it("says of a user what it may not do, and that it does not see the transactions of others", async () => {
      const url = `${server.url}?prefix=poor_`;
      await (await connect(url)).close();
      await server.query(
        "CREATE USER poor@'%'",
        "GRANT SELECT ON holdfast.poor_meta TO poor@'%'",
        "GRANT SELECT, UPDATE ON holdfast.poor_records TO poor@'%'",
      );
      const poor = url.replace("root@", "poor@");
      const { code, said } = await report(poor);
      assert.equal(code, 1);
      const rights = said.findings.find(({ what }) => what === "the user's rights");
      assert.match(rights?.why ?? "", /INSERT, UPDATE on poor_meta; INSERT, DELETE on poor_records/);
      assert.ok(said.findings.some(({ level, what }) => level === "unknown" && what === "long transactions"));
      await assert.rejects(connect(poor), { code: "UNSUPPORTED" });
    });

    it("opens a server that may lose commits only when told, and declares that", async () => {
      await server.query("SET GLOBAL innodb_flush_log_at_trx_commit = 0");
      await assert.rejects(connect(server.url), { code: "UNSUPPORTED", message: /at_trx_commit 0.*settings: "warn"/ });
      const hf = await connect(`${server.url}?settings=warn`);
      assert.equal(hf.capabilities.durability, "none");
      await hf.close();
      await server.query("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
      const quick = await connect(server.url);
      assert.equal(quick.capabilities.durability, "process");
      await quick.close();
      await server.query("SET GLOBAL innodb_flush_log_at_trx_commit = 1");
    });

    it("declares values no larger than a packet takes, and says that they are small", async () => {
      await server.query("SET GLOBAL max_allowed_packet = 2097152");
      const { said } = await report(server.url);
      assert.ok(said.findings.some(({ level, what }) => level === "risk" && /max_allowed_packet 2\.0/.test(what)));
      assert.ok(said.capabilities.maxValue < 2 ** 20);
      await server.query("SET GLOBAL max_allowed_packet = 67108864");
    });

    it("sees a server that takes no writes: a call fails for as long as that is so", async () => {
      await server.query("SET GLOBAL read_only = ON");
      const { code, said } = await report(server.url);
      assert.equal(code, 1);
      assert.ok(said.findings.some(({ what }) => what === "read_only on"));
      await assert.rejects(connect(server.url), { code: "UNAVAILABLE", message: /read_only is on/ });
      await server.query("SET GLOBAL read_only = OFF");
      await (await connect(server.url)).close();
    });
  });
}

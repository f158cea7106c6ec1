import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { createPool } from "mysql2/promise";
import { mysqlBackend, type MySqlOptions } from "../../../../src/backends/mysql/index.ts";
import { resolveConnectionOptions } from "../../../../src/backends/mysql/connections/options.ts";
import { parseMySqlUrl } from "../../../../src/backends/mysql/url.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { startMysql, type MysqlServer } from "../../../support/sql/mysql.ts";
import { Clients, one, soon } from "./support.ts";

void describe("a URL of MySQL", () => {
  void it("names a server, a user, a database and options", () => {
    const { host, database, credentials, sslMode } = parseMySqlUrl(
      "mariadb://us%40er:pa%3Ass@h:33/my%2Fdb?ssl-mode=VERIFY_CA",
    );
    assert.deepEqual([host, database, sslMode], [{ host: "h", port: 33 }, "my/db", "verify-ca"]);
    assert.deepEqual([credentials.username, credentials.password], ["us@er", "pa:ss"]);
    const { target, maxConnections, connectTimeout } = resolveConnectionOptions({
      url: "mysql://%2Frun%2Fmysqld.sock/db?maxConnections=7&connectTimeout=250",
      connectTimeout: "2s",
    });
    assert.deepEqual([target.where, maxConnections, connectTimeout], ["/run/mysqld.sock", 7, 2_000]);
    assert.equal((target.config as { socketPath?: unknown }).socketPath, "/run/mysqld.sock");
  });

  const refused: Readonly<Record<string, RegExp>> = {
    "mysql://h": /its path must be the name of a database/,
    "mysql://h/": /its path must be the name of a database/,
    "mysql://h/a/b": /its path must be the name of a database/,
    "mysql://a,b/db": /takes one host/,
    "mysql://h/db?ssl=true": /query parameter 1 is none of them/,
    "mysql://h/db?ssl-mode=preferred": /ssl-mode is disabled, required/,
    "mysql://h/db?maxConnections=0": /maxConnections must be a whole number above 0/,
    "mysql://h/db?prefix=Robert';--": /the prefix of tables must be/,
    "mysql://h/db?migrate=perhaps": /migrate must be/,
    "mysql:h/db": /./,
  };
  for (const [url, why] of Object.entries(refused)) {
    void it(`is refused early: ${url}`, () => {
      assert.throws(
        () => mysqlBackend({ url }),
        (error) => {
          assert.match(String(error), why);
          return (error as { code?: unknown }).code === "INVALID_ARGUMENT";
        },
      );
    });
  }

  void it("shows no secret where options are refused", () => {
    const url = "mysql://user:hidden@h/db?wrong=hidden";
    for (const options of [{ url }, { url, pool: {} }, {}, { pool: { hidden: 1 } }, { url, tls: 1 }]) {
      assert.throws(
        () => mysqlBackend(options as MySqlOptions),
        (error) => !inspect(error).includes("hidden"),
      );
    }
  });
});

void describe("TLS of MySQL", { skip: lacks("mysql") }, () => {
  let server: MysqlServer;
  let ca: string;
  const clients = new Clients();
  const withMode = (mode: string): string => `${server.url}?ssl-mode=${mode}`;
  before(async () => {
    server = await startMysql({ kind: "mysql" });
    ca = readFileSync(path.join(server.data, "ca.pem"), "utf8");
  });
  afterEach(async () => clients.close());
  after(async () => server.stop());
  const cipher = "SELECT VARIABLE_VALUE FROM performance_schema.session_status WHERE VARIABLE_NAME = 'Ssl_version'";

  void it("is used where it is asked for, and not where it is not", async () => {
    for (const [options, version] of [
      [{ url: server.url }, ""],
      [{ url: withMode("disabled") }, ""],
      [{ url: withMode("required") }, "TLSv1.3"],
      [{ url: withMode("verify-ca"), tls: { ca } }, "TLSv1.3"],
    ] as const) {
      assert.equal(await one(clients.make(options), cipher), version);
    }
  });

  void it("takes no certificate that is not trusted, or of another name, and says so at once", async () => {
    const others: readonly MySqlOptions[] = [
      { url: withMode("verify-ca") },
      { url: withMode("verify-identity") },
      { url: withMode("verify-identity").replace("127.0.0.1", "localhost"), tls: { ca } },
      { url: server.url, tls: {} },
    ];
    for (const options of others) {
      const since = performance.now();
      await assert.rejects(clients.make(options).open(soon(30_000)), { code: "INVALID_ARGUMENT" }, inspect(options));
      assert.ok(performance.now() - since < 5_000);
    }
  });

  void it("of a pool is that of its renewals too", async () => {
    const pool = createPool({ uri: server.url, ssl: { ca, verifyIdentity: false } });
    const client = clients.make({ pool });
    assert.equal(await one(client, cipher), "TLSv1.3");
    const renewal = await client.transaction(soon(), "renewals");
    const [reply] = await renewal.run([{ text: cipher, values: [] }]);
    renewal.rollback();
    assert.equal(String(reply?.rows[0]?.[0]), "TLSv1.3");
    await pool.end();
  });

  void it("that a server does not have is told at once", { skip: lacks("mariadb") }, async () => {
    const plain = await startMysql({ kind: "mariadb" });
    try {
      const client = clients.make(`${plain.url}?ssl-mode=required`);
      await assert.rejects(client.open(soon(30_000)), { code: "INVALID_ARGUMENT" });
    } finally {
      await clients.close();
      await plain.stop();
    }
  });
});

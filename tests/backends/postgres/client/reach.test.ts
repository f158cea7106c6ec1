import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { makeCertificate } from "../../../support/redis/certificate.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";
import { Clients, one, soon, sql } from "./support.ts";

const password = "s3cret-w0rd";
const port = sql("SELECT inet_server_port()");

void describe("the way to a Postgres", { skip: lacks("postgres15") }, () => {
  let server: PostgresServer;
  let standby: PostgresServer;
  const clients = new Clients();
  const proxies: FaultProxy[] = [];
  const certificate = makeCertificate();
  // Where the server sees it, whoever it runs as.
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-postgres-reach-"));
  before(async () => {
    chmodSync(folder, 0o755);
    const file = (name: string, text: string, mode = 0o644): string => {
      const full = path.join(folder, name);
      writeFileSync(full, text, { mode });
      return full;
    };
    server = await startPostgres({
      kind: "postgres15",
      settings: {
        ssl: "on",
        ssl_cert_file: file("server.crt", certificate.cert),
        ssl_key_file: file("server.key", certificate.key, 0o600),
        hba_file: file("hba", "host all postgres all trust\nhostssl all shop all scram-sha-256\n"),
      },
    });
    standby = await startPostgres({ kind: "postgres15", settings: { default_transaction_read_only: "on" } });
    await server.query(`CREATE ROLE shop LOGIN PASSWORD '${password}'`);
  });
  afterEach(async () => {
    await clients.close();
    await Promise.all(proxies.splice(0).map(async (proxy) => proxy.close()));
  });
  after(async () => {
    await server.stop();
    await standby.stop();
    rmSync(folder, { recursive: true });
  });

  async function proxyTo({ port: to }: PostgresServer): Promise<FaultProxy> {
    const proxy = await FaultProxy.start({ port: to });
    proxies.push(proxy);
    return proxy;
  }
  const at = (host: string, query: string, user = `shop:${password}`): string =>
    `postgres://${user}@${host}/postgres?${query}`;
  /** How a call fails that has much time, which it does not take. */
  async function refusal(options: Parameters<Clients["make"]>[0]): Promise<string> {
    const since = performance.now();
    const error: unknown = await one(clients.make(options), port, soon(20_000)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(performance.now() - since < 5_000, "it took long");
    assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), new RegExp(password));
    const { code, message } = error as { readonly code?: unknown } & Error;
    return `${String(code)}: ${message}`;
  }

  void it("has TLS with a certificate that is trusted, by its words or by its file", async () => {
    const ca = path.join(folder, "server.crt");
    const host = `127.0.0.1:${server.port}`;
    const ways = [
      clients.make({ url: at(host, "sslmode=require"), tls: { ca: certificate.cert } }),
      clients.make(at(host, `sslmode=verify-ca&sslrootcert=${encodeURIComponent(ca)}`)),
      clients.make(at(host, "sslmode=no-verify&channel_binding=require")),
      clients.make({
        config: {
          host: "127.0.0.1",
          port: server.port,
          user: "shop",
          password: async () => password,
          database: "postgres",
          ssl: { ca: certificate.cert },
        },
      }),
    ];
    const tls = sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    for (const client of ways) assert.equal(await one(client, tls), true);
  });

  void it("says at once what no attempt will mend, and never a password", async () => {
    const host = `127.0.0.1:${server.port}`;
    const reasons: readonly (readonly [Parameters<Clients["make"]>[0], RegExp])[] = [
      [at(host, "sslmode=require"), /^INVALID_ARGUMENT: no connection to .*certificate/],
      [at(host, "sslmode=disable"), /^INVALID_ARGUMENT: .* refused the connection: no pg_hba.conf entry .*\(28000\)/],
      [at(host, "sslmode=no-verify", `shop:${password}x`), /^INVALID_ARGUMENT: .*authentication failed .*\(28P01\)/],
      [at(host, "sslmode=disable", "postgres").replace("/postgres?", "/nothing?"), /^INVALID_ARGUMENT: .*\(3D000\)/],
      [at(`127.0.0.1:${standby.port}`, "sslmode=no-verify"), /^INVALID_ARGUMENT: .*does not support SSL/],
      [
        {
          config: {
            connectionString: `postgres://shop:${password}x@${host}/postgres`,
            ssl: { rejectUnauthorized: false },
          },
        },
        /^INVALID_ARGUMENT: .*\(28P01\)/,
      ],
    ];
    for (const [options, reason] of reasons) assert.match(await refusal(options), reason);
  });

  void it("leads to the first of several hosts that takes writes", async () => {
    const silent = await proxyTo(server);
    silent.set({ kind: "black-hole" });
    const hosts = [1, silent.port, standby.port, server.port].map((to) => `127.0.0.1:${to}`).join();
    const url = `postgres://postgres@${hosts}/postgres?connectTimeout=300`;
    assert.equal(await one(clients.make(url), port), server.port);
    assert.equal(await one(clients.make(`${url}&target_session_attrs=any`), port), standby.port);
  });

  void it("goes on to another host when the one that took writes is gone, and back", async () => {
    const [a, b] = [await proxyTo(server), await proxyTo(standby)];
    const client = clients.make(`postgres://postgres@127.0.0.1:${a.port},127.0.0.1:${b.port}/postgres`);
    await client.write(() => sql("CREATE TABLE first (k int)"), soon());
    a.lead({ port: standby.port });
    b.lead({ port: server.port });
    a.cut();
    assert.equal(await one(client, port), server.port);
    await client.write(() => sql("CREATE TABLE second (k int)"), soon());
  });
});

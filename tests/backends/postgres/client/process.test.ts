import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import path from "node:path";
import { promisify } from "node:util";
import { FaultProxy } from "../../../support/fault-proxy.ts";
import { lacks } from "../../../support/sql/kinds.ts";
import { postgresUrl, startPostgres, type PostgresServer } from "../../../support/sql/postgres.ts";

const run = promisify(execFile);

/** What a program prints. It has to end by itself, and nothing may end up unhandled. */
async function output(program: string, ...args: readonly string[]): Promise<string> {
  const file = path.join(import.meta.dirname, "programs", program);
  const { stdout, stderr } = await run(
    process.execPath,
    ["--unhandled-rejections=strict", "--expose-gc", file, ...args],
    { timeout: 20_000 },
  );
  assert.doesNotMatch(stderr, /error|warning/i);
  return stdout;
}

void describe("a process with a client of Postgres", { skip: lacks("postgres15") }, () => {
  let server: PostgresServer;
  let proxy: FaultProxy;
  before(async () => {
    server = await startPostgres({ kind: "postgres15" });
    proxy = await FaultProxy.start({ port: server.port });
  });
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  void it("ends though its connections are open", async () => {
    assert.equal(await output("leave-open.ts", server.url), "");
  });

  void it("stays while a statement is under way", async () => {
    assert.equal(await output("leave-open.ts", server.url, "pending"), "replied\n");
  });

  void it("stays while a call waits for a connection, and no longer", async () => {
    assert.match(await output("leave-open.ts", postgresUrl(1), "down"), /no connection within .*ECONNREFUSED/);
  });

  void it("is told at once what to install", async () => {
    assert.match(await output("without-driver.ts"), /UnsupportedError: .*npm install pg@8 at once\n/);
  });

  for (const kind of ["refuse", "black-hole"] as const) {
    void it(`lets 10,000 calls wait until their deadline and refuses the others, where the network is a ${kind}`, async () => {
      proxy.set({ kind });
      const told = JSON.parse(await output("many-waiting.ts", postgresUrl(proxy.port), "30000")) as {
        readonly ends: Readonly<Record<string, number>>;
        readonly waiting: number;
        readonly left: number;
        readonly took: number;
      };
      assert.deepEqual(told.ends, {
        "UNAVAILABLE: no connection, and 10000 calls wait for one already": 20_000,
        "UNAVAILABLE: no connection within the time given": 10_000,
      });
      assert.ok(told.waiting < 60, `${told.waiting} MB while they wait`);
      assert.ok(told.left < 10, `${told.left} MB afterwards`);
      assert.ok(told.took < 20_000, `took ${told.took} ms`);
    });
  }
});

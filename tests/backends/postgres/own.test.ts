import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { Client, Pool, types } from "pg";
import { rejection } from "../../support/rejection.ts";
import { Instance } from "../../../src/client/index.ts";
import { postgresBackend } from "../../../src/backends/postgres/index.ts";
import { Lock } from "../../../src/lock/index.ts";
import type { Backend } from "../../../src/port/index.ts";
import { StateStore } from "../../../src/state/index.ts";
import { lacks, type SqlServer } from "../../support/sql/kinds.ts";
import { drawPrefix } from "../../support/sql/place.ts";
import { sharedServer } from "../../support/sql/shared.ts";

// What own transactions are on Postgres alone. What they are everywhere is in the suite of states.

describe("own transactions on Postgres", { skip: lacks("postgres15") }, () => {
  let server: SqlServer;
  let instance: Instance;
  let elsewhere: Instance;
  let store: StateStore<number>;
  let other: StateStore<number>;
  let prefix: string;
  const backends: Backend[] = [];
  const clients: Client[] = [];

  function instanceOn(url: string): Instance {
    const backend = postgresBackend({ url, prefix });
    backends.push(backend);
    return new Instance(backend, { timeout: 20_000 });
  }

  async function begin(level = "READ COMMITTED", url = server.url): Promise<Client> {
    const client = new Client({ connectionString: url });
    client.on("error", () => undefined); // whoever asks next is told
    clients.push(client);
    await client.connect();
    await client.query(`BEGIN ISOLATION LEVEL ${level}`);
    return client;
  }

  before(async () => {
    server = await sharedServer("postgres15");
    prefix = drawPrefix();
    [instance, elsewhere] = [instanceOn(server.url), instanceOn(server.url)];
    [store, other] = [new StateStore<number>(instance, "own"), new StateStore<number>(elsewhere, "own")];
    await store.load("first");
  });
  after(async () => {
    await Promise.all(clients.map(async (client) => client.end()));
    for (const one of [instance, elsewhere]) await one.close(0);
    await Promise.all(backends.map(async (backend) => backend.close()));
  });

  it("a lease is renewed while a transaction has checked it", async () => {
    const lease = await new Lock(instance, "own").acquire("renewed", { ttl: 900 });
    const client = await begin();
    await lease.checkWithin(client);
    const until = instance.time.monotonic() + 2_000;
    while (instance.time.monotonic() < until) {
      await client.query("SELECT pg_sleep(0.3)");
      await store.within(client).check(lease);
    }
    await client.query("COMMIT");
    assert.equal(await lease.release(), "released");
  });

  it("others ask for a lock, wait for it and look at it while a transaction has checked its lease", async () => {
    const lease = await new Lock(instance, "own").acquire("asked");
    const client = await begin();
    await lease.checkWithin(client);
    const lock = new Lock(elsewhere, "own");
    assert.equal(await lock.tryAcquire("asked"), undefined);
    const waiting = lock.acquire("asked", { wait: "20s" });
    let holder = await lock.inspect("asked");
    while (holder?.waiting !== 1) holder = await lock.inspect("asked");
    assert.equal(holder.owner.split("/")[0], lease.owner.split("/")[0]);
    assert.equal((await lock.forceRelease("asked", "test"))?.owner, holder.owner);
    await client.query("COMMIT");
    await (await waiting).release();
    await lease.release();
  });

  it("under REPEATABLE READ what has changed since the transaction began fails it, and nothing is lost", async () => {
    await store.save("level", 1);
    const lease = await new Lock(instance, "own").acquire("level", { renew: false });
    for (const level of ["REPEATABLE READ", "SERIALIZABLE"]) {
      const client = await begin(level);
      await client.query("SELECT 1 FROM pg_class LIMIT 1"); // takes the snapshot
      await store.within(client).check(lease);
      const now = (await store.load("level")) ?? 0;
      assert.equal((await store.within(client).update("level", (n) => n + 1))?.value, now + 1);
      await client.query("ROLLBACK");

      await client.query(`BEGIN ISOLATION LEVEL ${level}`);
      await client.query("SELECT 1 FROM pg_class LIMIT 1");
      await other.update("level", (n) => n + 10);
      const error = await rejection(
        store.within(client).update("level", (n) => n + 1),
        "UNAVAILABLE",
      );
      assert.equal(codeIn(error), "40001");
      await client.query("ROLLBACK");

      await client.query(`BEGIN ISOLATION LEVEL ${level}`);
      await client.query("SELECT 1 FROM pg_class LIMIT 1");
      await lease.extend("20s");
      assert.equal(codeIn(await rejection(lease.checkWithin(client), "UNAVAILABLE")), "40001");
      await client.query("ROLLBACK");
    }
    assert.equal(await store.load("level"), 21);
    await lease.release();
  });

  it("waits as lock_timeout says, and leaves it as it was", async () => {
    const first = await begin();
    await store.within(first).save("waits", 1);
    const second = await begin();
    await second.query("SET LOCAL lock_timeout = '90ms'");
    const error = await rejection(store.within(second).save("waits", 2), "UNAVAILABLE");
    assert.equal(codeIn(error), "55P03");
    await second.query("ROLLBACK");
    for (const given of ["7s", "0", "2min"]) {
      await second.query("BEGIN");
      await second.query(`SET LOCAL lock_timeout = '${given}'`);
      await store.within(second).save("else", 1, { timeout: "5s" });
      await rejection(store.within(second).save("else", 1, { if: { absent: true } }), "CONFLICT");
      const { rows } = await second.query<{ lock_timeout: string }>("SHOW lock_timeout");
      assert.equal(rows[0]?.lock_timeout, given);
      await second.query("ROLLBACK");
    }
    await first.query("ROLLBACK");
  });

  it("is of one transaction, on a connection to the same tables", async () => {
    const client = await begin();
    const own = store.within(client);
    await own.save("one", 1);
    await client.query("COMMIT");
    await rejection(own.save("one", 2), "INVALID_ARGUMENT");
    await client.query("BEGIN");
    await rejection(own.save("one", 2), "INVALID_ARGUMENT");
    await store.within(client).save("one", 3);
    await client.query("COMMIT");
    assert.equal(await other.load("one"), 3);

    const pool = new Pool({ connectionString: server.url, max: 2 });
    await rejection(store.within(pool).save("one", 4), "INVALID_ARGUMENT");
    await pool.end();

    await server.query("DROP DATABASE IF EXISTS own_other", "CREATE DATABASE own_other");
    const url = server.url.replace(/[^/]*$/, "own_other");
    await rejection(store.within(await begin(undefined, url)).load("one"), "UNAVAILABLE");
    await new StateStore(instanceOn(url), "own").load("one");
    await rejection(store.within(await begin(undefined, url)).load("one"), "INVALID_ARGUMENT");
    await rejection(store.within(await begin(undefined, url)).save("one", 5), "INVALID_ARGUMENT");
    assert.equal(await other.load("one"), 3);
  });

  it("takes a client whose types are read in another way", async () => {
    const client = new Client({
      connectionString: server.url,
      types: { getTypeParser: (oid) => (oid === types.builtins.INT8 ? BigInt : types.getTypeParser(oid)) },
    });
    clients.push(client);
    await client.connect();
    await client.query("BEGIN");
    const own = store.within(client);
    await own.save("typed", 1, { ttl: "1h" });
    const entry = await own.loadEntry("typed");
    assert.equal(typeof entry?.expiresAt, "number");
    await own.save("typed", 2, { if: entry as never });
    await client.query("COMMIT");
    assert.equal(await other.load("typed"), 2);
  });

  it("a deadlock fails one of them", async () => {
    const [one, two] = [await begin(), await begin()];
    await store.within(one).save("a", 1);
    await store.within(two).save("b", 2);
    const ends = await Promise.all(
      [store.within(one).save("b", 1), store.within(two).save("a", 2)].map(async (saving, i) => {
        const client = i === 0 ? one : two;
        try {
          await saving;
          await client.query("COMMIT");
          return undefined;
        } catch (error) {
          await client.query("ROLLBACK");
          return codeIn(error);
        }
      }),
    );
    assert.deepEqual(new Set(ends), new Set(["40P01", undefined]));
    assert.equal(await other.load("a"), await other.load("b"));
  });

  it("what others have put around an error tells no value", async () => {
    const client = await begin();
    await client.query("SELECT 1/0").catch(() => undefined); // the transaction has failed
    const wrapped = {
      async query(text: string, values: string[]) {
        try {
          return await client.query(text, values);
        } catch (cause) {
          throw new Error(`failed: ${text} with 4711`, { cause });
        }
      },
    };
    const error = await rejection(store.within(wrapped).save("k", 4711), "UNAVAILABLE");
    assert.equal(codeIn(error), "25P02");
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      assert.ok(!at.message.includes("4711"), at.message);
    const mistaken = { query: () => (undefined as unknown as { missing(): void }).missing() };
    assert.match((await rejection(store.within(mistaken).save("k", 1), "UNAVAILABLE")).message, /TypeError/);
  });

  it("a process that is killed between leaves nothing, and what it has checked is free", async () => {
    const program = path.join(import.meta.dirname, "programs/own.ts");
    const child = spawn(process.execPath, [program, server.url, prefix], { stdio: ["ignore", "pipe", "inherit"] });
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    assert.equal(String(text).trim(), "written");
    child.kill("SIGKILL");
    await once(child, "exit");
    const lease = await new Lock(instance, "killed").acquire("k", { wait: "20s" });
    await store.save("killed", 1, { if: { absent: true }, lease });
    const { rows } = await (await begin()).query(`SELECT name FROM ${prefix}rows`);
    assert.deepEqual(rows, []);
    await lease.release();
  });
});

/** The server's code that an error comes from. */
function codeIn(error: unknown): unknown {
  const cause = ((error as Error).cause as Error | undefined)?.cause;
  return (cause as { readonly code?: unknown } | undefined)?.code;
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { resolveConnectionOptions } from "../../../../src/backends/postgres/connections/options.ts";
import type { PostgresConnectionOptions } from "../../../../src/backends/postgres/client.ts";

/** What the driver is told for each host. */
async function configs(options: PostgresConnectionOptions): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { targets } = resolveConnectionOptions(options);
  return Promise.all(targets.map(async (target) => target.config()));
}

function refused(options: unknown): Error {
  try {
    resolveConnectionOptions(options as PostgresConnectionOptions);
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "INVALID_ARGUMENT");
    return error as Error;
  }
  return assert.fail("it was not refused");
}

void describe("a URL of Postgres", () => {
  void it("says where, as whom, and with what TLS", async () => {
    const url = "postgres://me:p%40ss@a,[::1]:5433,%2Frun%2Fpg/some%2Fdb?sslmode=verify-ca&application_name=shop";
    const all = await configs({ url });
    assert.deepEqual(
      all.map(({ host, port, user, password, database, application_name: name, pipeline }) => [
        ...[host, port, user, password, database, name, pipeline],
      ]),
      [
        ["a", 5432, "me", "p@ss", "some/db", "shop", true],
        ["::1", 5433, "me", "p@ss", "some/db", "shop", true],
        ["/run/pg", 5432, "me", "p@ss", "some/db", "shop", true],
      ],
    );
    const { targets, readWrite, maxConnections, connectTimeout } = resolveConnectionOptions({ url });
    assert.deepEqual([readWrite, maxConnections, connectTimeout], [true, 8, 5_000]);
    assert.deepEqual(
      targets.map(({ where }) => where),
      ["a:5432", "[::1]:5433", "/run/pg"],
    );
  });

  void it("leaves out what the driver takes from the environment", async () => {
    const [config] = await configs({ url: "postgresql://localhost" });
    assert.deepEqual(
      [config?.["user"], config?.["password"], config?.["database"], config?.["ssl"]],
      [...[undefined, undefined, undefined, undefined]],
    );
  });

  void it("has TLS as its sslmode says", async () => {
    const sslOf = async (query: string, tls?: PostgresConnectionOptions["tls"]): Promise<unknown> =>
      (await configs({ url: `postgres://localhost/?${query}`, tls }))[0]?.["ssl"];
    assert.equal(await sslOf("sslmode=disable"), false);
    assert.deepEqual(await sslOf("sslmode=no-verify"), { rejectUnauthorized: false });
    for (const mode of ["require", "verify-full"]) {
      assert.deepEqual(await sslOf(`sslmode=${mode}`), { rejectUnauthorized: true });
    }
    const trusting = (await sslOf("sslmode=verify-ca")) as { readonly checkServerIdentity: () => unknown };
    assert.equal(trusting.checkServerIdentity(), undefined);
    assert.deepEqual(await sslOf("sslmode=require", { ca: "a", servername: "b" }), {
      rejectUnauthorized: true,
      ca: "a",
      servername: "b",
    });
    await assert.rejects(sslOf("sslrootcert=%2Fnot%2Fthere"), {
      code: "INVALID_ARGUMENT",
      message: /the file of the URL for the ca of TLS cannot be read: ENOENT/,
    });
  });

  void it("has the options as parameters, and an option wins", () => {
    const url = "postgres://a/?maxConnections=3&maxWaiting=5&connectTimeout=250&target_session_attrs=read-write";
    const { maxConnections, maxWaiting, connectTimeout, readWrite } = resolveConnectionOptions({ url, maxWaiting: 7 });
    assert.deepEqual([maxConnections, maxWaiting, connectTimeout, readWrite], [3, 7, 250, true]);
    const listen = resolveConnectionOptions({ url: "postgres://a/?listenUrl=postgres%3A%2F%2Fb%3A1" });
    assert.deepEqual(
      listen.listenTargets?.map(({ where }) => where),
      ["b:1"],
    );
  });

  void it("is refused where it cannot be", () => {
    const reasons: Readonly<Record<string, RegExp>> = {
      "postgres://a/b/c": /the path of a postgres URL is the name of a database/,
      "postgres://a/?sslmode=prefer": /sslmode is one of disable/,
      "postgres://a/?sslmode=disable&sslrootcert=x": /files for TLS, and sslmode=disable/,
      "postgres://a/?target_session_attrs=standby": /target_session_attrs is any, read-write or primary/,
      "postgres://a/?sslMode=require": /query parameter 1 is none of them/,
      "postgres://a/?maxConnections=0": /maxConnections must be a whole number above 0/,
      "postgres://a/?connectTimeout=soon": /connectTimeout/,
      "postgres://a/?listenUrl=redis://b": /its scheme is unknown/,
      "mysql://a": /its scheme is unknown/,
    };
    for (const [url, reason] of Object.entries(reasons)) assert.match(refused({ url }).message, reason);
  });
});

void describe("options of Postgres", () => {
  void it("need one of url, config and pool", () => {
    const one = /needs a url, a config or a pool, and one of them only/;
    assert.match(refused({}).message, one);
    assert.match(refused({ url: "postgres://a", config: {} }).message, one);
    assert.match(refused({ config: "postgres://a" }).message, /config must be what the Client of package pg takes/);
    assert.match(refused({ config: {}, tls: {} }).message, /tls is for a url/);
    assert.match(refused({ url: "postgres://a", tls: {} }).message, /need a URL with an sslmode that has TLS/);
    assert.match(refused({ url: "postgres://a?sslmode=require", tls: 1 }).message, /tls must be an object/);
  });

  void it("hand the driver's own on, but for what is the business of this client", async () => {
    const [config] = await configs({
      config: { host: "a", query_timeout: 5, pipeline: false, application_name: "shop", keepAlive: false },
    });
    assert.deepEqual(
      [config?.["host"], config?.["query_timeout"], config?.["pipeline"], config?.["application_name"]],
      ["a", 0, true, "shop"],
    );
  });

  void it("hide every password that they hold", () => {
    const url = "postgres://me:first%21@a/?listenUrl=postgres%3A%2F%2Fme%3Asecond%40b";
    assert.equal(resolveConnectionOptions({ url }).hide("first! or second"), "*** or ***");
    const { hide } = resolveConnectionOptions({
      config: { connectionString: "postgres://me:third%21@a", password: "4th" },
    });
    assert.equal(hide("third! third%21 4th"), "*** *** ***");
    for (const shown of [
      inspect(resolveConnectionOptions({ url }), { depth: 5 }),
      JSON.stringify(refused({ url, config: {} })),
    ]) {
      assert.doesNotMatch(shown, /first|second/);
    }
  });
});

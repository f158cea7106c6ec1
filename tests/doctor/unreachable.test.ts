import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createWebServer, type Server as WebServer } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { after, before, describe, it, type TestContext } from "node:test";
import { Redis as IoRedis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { createClient } from "redis";
import { connect, examine, isHoldfastError, type ErrorCode } from "../../src/entries/index.ts";
import { fromIoredis, redis } from "../../src/entries/redis.ts";
import { lacks } from "../support/redis/kinds.ts";
import { startRedis, type RedisServer } from "../support/redis/server.ts";
import { doctor } from "./support/doctor.ts";

// What is said of a server that cannot be used: what it is, by everybody who asks, and not that the time is over.

interface Place {
  readonly protocol: "redis" | "rediss";
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: number;
}

function urlOf({ protocol, host, port, user = "", password, database }: Place): string {
  const login = password === undefined ? "" : `${user}:${password}@`;
  return `${protocol}://${login}${host}:${port}${database === undefined ? "" : `/${database}`}`;
}

/** The applications' own clients that lead there. None of them is connected. */
function clientsOf(place: Place): Readonly<Record<string, object>> {
  const { protocol, host, port, user, password, database = 0 } = place;
  const tls = protocol === "rediss" && { tls: {} };
  const options = { host, port, db: database, lazyConnect: true, ...tls };
  const login = { ...(user !== undefined && { username: user }), ...(password !== undefined && { password }) };
  return {
    "a client of redis": createClient({ url: urlOf(place) }),
    "a client of ioredis": fromIoredis(new IoRedis({ ...options, ...login })),
    "a client of iovalkey": fromIoredis(new Valkey({ ...options, ...login })),
  };
}

async function refusal(
  t: TestContext,
  what: string,
  call: () => Promise<unknown>,
): Promise<readonly [ErrorCode, string]> {
  const started = performance.now();
  try {
    await call();
  } catch (error) {
    assert.ok(isHoldfastError(error), String(error));
    t.diagnostic(`${what}: ${(performance.now() - started).toFixed(0)} ms`);
    return [error.code, error.message];
  }
  throw new assert.AssertionError({ message: `${what} was not refused` });
}

describe("a server that cannot be used", { skip: lacks("redis") }, () => {
  let server: RedisServer;
  let secured: RedisServer;
  let web: WebServer;
  let mail: Server;
  let silent: Server;
  before(async () => {
    [server, secured] = await Promise.all([
      startRedis({ kind: "redis", appendonly: "everysec", password: "secret" }),
      startRedis({ kind: "redis", appendonly: "everysec", tls: true }),
    ]);
    web = createWebServer((_request, response) => response.end("hello"));
    mail = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", () => socket.end("500 what\r\n"));
      socket.write("220 mail.example ESMTP\r\n");
    });
    silent = createServer();
    for (const one of [web, mail, silent]) await once(one.listen(0, "127.0.0.1"), "listening");
  });
  after(async () => {
    web.closeAllConnections();
    for (const one of [web, mail, silent]) one.close();
    await Promise.all([server.stop(), secured.stop()]);
  });

  const host = "127.0.0.1";
  const portOf = (one: Server | WebServer): number => (one.address() as AddressInfo).port;
  const cases: Readonly<Record<string, readonly [place: () => Place, code: ErrorCode, says: RegExp]>> = {
    "a wrong password": [
      () => ({ protocol: "redis", host, port: server.port, user: "app", password: "wrong" }),
      "INVALID_ARGUMENT",
      /WRONGPASS/,
    ],
    "no password": [() => ({ protocol: "redis", host, port: server.port }), "INVALID_ARGUMENT", /NOAUTH/],
    "a database that is not there": [
      () => ({ protocol: "redis", host, port: server.port, password: "secret", database: 99 }),
      "INVALID_ARGUMENT",
      /DB index is out of range/,
    ],
    "TLS to a server without": [
      () => ({ protocol: "rediss", host, port: server.port }),
      "INVALID_ARGUMENT",
      /speaks no TLS: its URL begins with redis, not rediss/,
    ],
    "no TLS to a server with it": [
      () => ({ protocol: "redis", host, port: secured.port }),
      "INVALID_ARGUMENT",
      /speaks TLS: its URL begins with rediss, not redis/,
    ],
    "a web server": [() => ({ protocol: "redis", host, port: portOf(web) }), "INVALID_ARGUMENT", /speaks HTTP/],
    "TLS to a web server": [() => ({ protocol: "rediss", host, port: portOf(web) }), "INVALID_ARGUMENT", /speaks HTTP/],
    "a mail server": [
      () => ({ protocol: "redis", host, port: portOf(mail) }),
      "INVALID_ARGUMENT",
      /another protocol than Redis: it says "220 mail\.example ESMTP"/,
    ],
  };
  for (const [name, [place, code, says]] of Object.entries(cases)) {
    it(`is told: ${name}`, async (t) => {
      const url = urlOf(place());
      const backend = redis({ url });
      t.after(() => backend.close());
      for (const [what, call] of [
        ["connect", async () => connect(url)],
        ["examine", async () => examine(url)],
        ["the first call", async () => backend.open()],
        ...Object.entries(clientsOf(place())).map(
          ([driver, client]) => [driver, async () => connect(redis({ client }))] as const,
        ),
      ] as const) {
        const [given, message] = await refusal(t, what, call);
        assert.equal(given, code, `${what}: ${message}`);
        assert.match(message, says, what);
        assert.doesNotMatch(message, /wrong@|secret|timed out|within the time/, what);
      }
      if (code === "INVALID_ARGUMENT") assert.equal((await doctor(url)).code, 2);
    });
  }

  it("is told: a host that has no address", async (t) => {
    const url = "redis://no-such-host.invalid";
    const [, message] = await refusal(t, "examine", async () => examine(url));
    assert.match(message, /no-such-host\.invalid:6379 cannot be reached: getaddrinfo E/);
    // Where there is no name server, it may be there tomorrow.
    if (message.includes("ENOTFOUND")) await refusal(t, "connect", async () => connect(url));
  });

  it("is told by doctor at once: nobody listens", async (t) => {
    for (const url of ["redis://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/main", "redis+cluster://127.0.0.1:1"]) {
      const [code, message] = await refusal(t, url, async () => examine(url));
      assert.equal(code, "UNAVAILABLE");
      assert.match(message, /ECONNREFUSED/);
    }
    const started = performance.now();
    const { code, err } = await doctor("redis://127.0.0.1:1");
    t.diagnostic(`holdfast doctor, with the start of its process: ${(performance.now() - started).toFixed(0)} ms`);
    assert.equal(code, 3);
    assert.match(err, /127\.0\.0\.1:1 cannot be reached: connect ECONNREFUSED/);
  });

  it("is told: nothing is answered", async () => {
    const says = { code: "UNAVAILABLE", message: /takes connections and answers nothing/ };
    await Promise.all(
      (["redis", "rediss"] as const).flatMap((protocol) => {
        const url = urlOf({ protocol, host, port: portOf(silent) });
        return [
          assert.rejects(connect(url), says),
          assert.rejects(examine(url), says),
          assert.rejects(examine(url.replace("://", "+cluster://")), says),
        ];
      }),
    );
  });
});

describe("a server that was there before", { skip: lacks("redis") }, () => {
  it("is waited for, whatever is there meanwhile", async (t) => {
    const server = await startRedis({ kind: "redis", appendonly: "everysec" });
    t.after(() => server.stop());
    const hf = await connect(server.url);
    t.after(() => hf.close());
    await server.kill();
    const web = createWebServer((_request, response) => response.end("hello"));
    const asked = once(web, "connection");
    await once(web.listen(server.port, "127.0.0.1"), "listening");
    const load = async (): Promise<unknown> => hf.state("orders").load("1", { timeout: "20s" });
    // The first may still go on the connection that is lost.
    const loaded = load().catch(load);
    await asked;
    web.closeAllConnections();
    await new Promise((resolve) => web.close(resolve));
    await server.restart();
    assert.equal(await loaded, undefined);
  });
});

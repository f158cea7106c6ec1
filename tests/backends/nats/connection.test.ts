import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { inspect, promisify } from "node:util";
import type { NatsConnection } from "@nats-io/transport-node";
import { natsBackend, type NatsOptions } from "../../../src/backends/nats/index.ts";
import { parseNatsUrl } from "../../../src/backends/nats/url.ts";
import { connect, isHoldfastError } from "../../../src/entries/index.ts";
import { lacks } from "../../support/nats/kinds.ts";
import { natsUrl, startNats, type NatsServer } from "../../support/nats/server.ts";
import { makeCertificate } from "../../support/redis/certificate.ts";
import { until } from "../../support/servers/until.ts";

const run = promisify(execFile);

/** What a program prints. It has to end by itself, and nothing may end up unhandled. */
async function output(program: string, ...args: readonly string[]): Promise<string> {
  const file = path.join(import.meta.dirname, "programs", program);
  const { stdout, stderr } = await run(process.execPath, ["--unhandled-rejections=strict", file, ...args], {
    timeout: 60_000,
  });
  assert.doesNotMatch(stderr, /error|warning/i);
  return stdout;
}

void describe("a URL of NATS", () => {
  void it("names servers, a user, a bucket and options", () => {
    const { servers, tls, bucket, credentials } = parseNatsUrl("nats+tls://us%40er:pa%3Ass@h,[::1]:42/b_1?replicas=3");
    assert.deepEqual([servers, tls, bucket], [["h:4222", "[::1]:42"], true, "b_1"]);
    assert.deepEqual([credentials.username, credentials.password], ["us@er", "pa:ss"]);
    assert.equal(parseNatsUrl("nats://token@h").bucket, undefined);
  });

  const refused: Readonly<Record<string, RegExp>> = {
    "nats://h/a/b": /its path is the name of a bucket/,
    "nats://h/a.b": /a bucket's name has/,
    "nats://h/b?replicas=6": /replicas must be 1 to 5/,
    "nats://h/b?sync=yes": /query parameter 1 is none of them/,
    "nats://%2Frun%2Fnats.sock": /no path of a socket/,
  };
  for (const [url, why] of Object.entries(refused)) {
    void it(`is refused early: ${url}`, () => {
      assert.throws(
        () => natsBackend({ url }),
        (error) => isHoldfastError(error, "INVALID_ARGUMENT") && why.test(error.message),
      );
    });
  }

  void it("shows no secret where options are refused", () => {
    const url = "nats://user:hidden@h/b?wrong=hidden";
    for (const options of [{ url }, { url, connection: {} }, {}, { connection: { hidden: 1 } }]) {
      assert.throws(
        () => natsBackend(options),
        (error) => isHoldfastError(error, "INVALID_ARGUMENT") && !inspect(error).includes("hidden"),
      );
    }
  });
});

void describe("a process with NATS", { skip: lacks("nats") }, () => {
  let server: NatsServer;
  before(async () => {
    server = await startNats({ kind: "nats" });
  });
  after(async () => server.stop());

  void it("ends though its connection is open and it watches, after the last reply", async () => {
    assert.equal(await output("leave-open.ts", server.url), "saved\n");
  });

  void it("is told at once what to install", async () => {
    const name = "@nats-io/transport-node";
    assert.match(await output("without-driver.ts", name), new RegExp(`UnsupportedError: .*npm install ${name}@3`));
  });

  void it("says that nobody is there", async () => {
    const began = performance.now();
    await assert.rejects(connect(natsUrl(1)), (error) => isHoldfastError(error, "UNAVAILABLE"));
    assert.ok(performance.now() - began < 5_000);
  });

  void it("uses the application's connection, loses nothing with it, and leaves it open", async () => {
    const place = await startNats({ kind: "nats" });
    const own: NatsConnection = await place.connect();
    const backend = natsBackend({ connection: own, bucket: "own" });
    const hf = await connect(backend, { timeout: "5s" });
    const store = hf.state<number>("s");
    await store.save("k", 1);
    await place.kill();
    await until("the loss is known", async () =>
      store.save("k", 2).then(
        () => false,
        (error: unknown) => isHoldfastError(error, "UNAVAILABLE") && /no connection/.test(error.message),
      ),
    );
    await place.restart();
    await until("it is back", async () =>
      store.load("k").then(
        (found) => found === 1,
        () => false,
      ),
    );
    await hf.close();
    await backend.close();
    assert.equal(own.isClosed(), false);
    assert.ok((await own.rtt()) >= 0);
    await own.close();
    await place.stop();
  });

  void it("is told where the application has closed its connection", async () => {
    const own = await server.connect();
    const hf = await connect(natsBackend({ connection: own, bucket: "closed" }), { timeout: "2s" });
    await own.close();
    await assert.rejects(hf.state("s").load("k"), (error) => isHoldfastError(error, "UNAVAILABLE"));
    await hf.close();
  });
});

void describe("the way into NATS", { skip: lacks("nats") }, () => {
  const works = async (options: NatsOptions): Promise<void> => {
    const backend = natsBackend(options);
    const hf = await connect(backend);
    await hf.state<number>("s").save("k", 1);
    await hf.close();
    await backend.close();
  };

  for (const [what, settings, user, wrong] of [
    ["a user and a password", "authorization { user: us, password: secret }", "us:secret", "us:hidden"],
    ["a token", "authorization { token: secret }", "secret", "hidden"],
  ] as const) {
    void it(`is ${what}`, async () => {
      const server = await startNats({ kind: "nats", settings, login: user });
      const url = (login: string): string => server.url.replace("//", `//${login}@`);
      await works({ url: url(user) });
      await assert.rejects(works({ url: url(wrong) }), (error) => {
        assert.ok(!inspect(error).includes("hidden"));
        return isHoldfastError(error, "UNAVAILABLE") && /authorization/i.test(error.message);
      });
      await server.stop();
    });
  }

  void it("takes no more rights than the page says, and says which one is missing", async () => {
    const page = readFileSync(path.join(import.meta.dirname, "../../../docs/nats.md"), "utf8");
    const [, publish = "", subscribe = ""] = /^ +publish: ([^]+?)\n +subscribe: (.+)$/m.exec(page) ?? [];
    const named = (text: string): string => JSON.stringify(text.match(/(?<=")[$_\w][^",]+(?=")/g));
    const rights = (deny: string): string => {
      const allowed = `publish: { allow: ${named(publish)}, deny: "${deny}" }, subscribe: { allow: ${named(subscribe)} }`;
      const user = `{ user: us, password: secret, permissions: { ${allowed} } }`;
      return `authorization { users: [{ user: it, password: itself }, ${user}] }`;
    };
    const server = await startNats({ kind: "nats", login: "it:itself", settings: rights("none") });
    const hf = await connect(server.url.replace("//", "//us:secret@"), { timeout: "5s" });
    const store = hf.state<number>("s");
    const heard: string[] = [];
    const watching = await store.watch();
    void (async () => {
      for await (const { type } of watching) heard.push(type);
    })();
    await store.save("k", 1);
    await (await hf.lock("l").acquire("k")).release();
    await until("it is told", async () => heard.includes("save"));
    assert.deepEqual(await store.count(), 1);
    await hf.close();
    await server.stop();

    const poor = await startNats({ kind: "nats", login: "it:itself", settings: rights("$KV.>") });
    const other = await connect(poor.url.replace("//", "//us:secret@"), { timeout: "5s" });
    await assert.rejects(
      other.state<number>("s").save("k", 1),
      (error) => isHoldfastError(error, "UNAVAILABLE") && /permission/i.test(error.message),
    );
    await other.close();
    await poor.stop();
  });

  void it("is TLS", async () => {
    const { cert, key } = makeCertificate();
    const server = await startNats({ kind: "nats", tls: { cert, key } });
    const url = server.url.replace("nats:", "nats+tls:");
    await works({ url, tls: { ca: cert } });
    await assert.rejects(works({ url }), (error) => isHoldfastError(error, "UNAVAILABLE"));
    await server.stop();
  });
});

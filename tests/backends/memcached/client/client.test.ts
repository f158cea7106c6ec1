import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { MetaClient } from "../../../../src/backends/memcached/client/client.ts";
import type { MetaClientOptions } from "../../../../src/backends/memcached/client/options.ts";
import { fetchOrClaim, invalidate, storeClaimed } from "../../../../src/backends/memcached/client/recaching.ts";
import { StoreError } from "../../../../src/backends/store/index.ts";
import {
  kinds,
  lacks,
  sendLines,
  sharedMemcached,
  startMemcached,
  type MemcachedServer,
} from "../../../support/memcached/server.ts";
import { until } from "../../../support/servers/until.ts";

const inTime = (ms = 20_000): { readonly deadline: number } => ({ deadline: performance.now() + ms });
const bytes = (text: string): Buffer => Buffer.from(text);

function clientOf(servers: readonly MemcachedServer[], more: Partial<MetaClientOptions> = {}): MetaClient {
  return new MetaClient({ servers: servers.map(({ host, port }) => ({ host, port })), ...more });
}

async function having(client: MetaClient, work: (client: MetaClient) => Promise<void>): Promise<void> {
  try {
    await work(client);
  } finally {
    client.close();
  }
}

for (const kind of kinds) {
  describe(`the client on ${kind}`, { skip: lacks(kind) }, () => {
    const quick = { connectTimeout: 300, replyTimeout: 300 };
    let drawn = 0;
    const key = (): string => `${kind}-${process.pid}-${drawn++}`;

    it("keeps bytes under any key, and tells what became of each call", async () => {
      await having(clientOf([await sharedMemcached(kind)]), async (client) => {
        const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        for (const name of [
          key(),
          `${key()} é\r\nmg x`,
          key() + "k".repeat(300),
          `${key()}${"ü".repeat(200)}`,
          "#",
          "\0",
        ]) {
          assert.deepEqual(
            await client.delete(name, {}, inTime()).then(() => client.get(name, undefined, inTime())),
            undefined,
          );
          const set = await client.set(name, all, {}, inTime());
          const item = await client.get(name, undefined, inTime());
          assert.deepEqual([item?.value, item?.cas], [all, set.result === "stored" && set.cas], name);
          assert.equal((await client.set(name, bytes("2"), { mode: "add" }, inTime())).result, "exists");
          assert.equal((await client.set(name, bytes("2"), { cas: item?.cas }, inTime())).result, "stored");
          assert.equal((await client.set(name, bytes("3"), { cas: item?.cas }, inTime())).result, "exists");
          assert.equal(await client.delete(name, { cas: item?.cas }, inTime()), "exists");
          assert.equal((await client.set(name, bytes("+"), { mode: "append" }, inTime())).result, "stored");
          assert.equal(String((await client.get(name, undefined, inTime()))?.value), "2+");
          assert.equal(await client.delete(name, {}, inTime()), "deleted");
          assert.equal(await client.delete(name, {}, inTime()), "missing");
          assert.equal((await client.set(name, bytes("4"), { mode: "replace" }, inTime())).result, "missing");
          assert.equal((await client.set(name, bytes("4"), { cas: item?.cas }, inTime())).result, "missing");
          assert.equal(await client.touch(name, 5, inTime()), false);
        }
      });
    });

    it("counts, and takes an empty value for one", async () => {
      await having(clientOf([await sharedMemcached(kind)]), async (client) => {
        const name = key();
        assert.equal(await client.count(name, {}, inTime()), undefined);
        assert.equal(await client.count(name, { initial: { value: 9, ttl: 60 } }, inTime()), 9n);
        assert.equal(await client.count(name, { delta: 3 }, inTime()), 12n);
        assert.equal(await client.count(name, { delta: 5, down: true }, inTime()), 7n);
        await client.set(name, new Uint8Array(), {}, inTime());
        assert.equal((await client.get(name, undefined, inTime()))?.value.length, 0);
        await client.set(name, bytes("no number"), {}, inTime());
        await assert.rejects(client.count(name, {}, inTime()), { message: /non-numeric/, sent: false });
        await client.ping(client.connections[0] as never, inTime()); // the connection is as good as before
      });
    });

    it("gives each ttl to the server: fractions, more than 30 days, none", async () => {
      await having(clientOf([await sharedMemcached(kind)]), async (client) => {
        const name = key();
        const month = 30 * 86_400;
        for (const [ttl, least, most] of [
          [0.2, 0, 1],
          [1.5, 1, 2],
          [month, month - 30, month],
          [month + 1, month - 30, month + 3],
          [400 * 86_400, 400 * 86_400 - 30, 400 * 86_400 + 2],
          [100 * 365 * 86_400, -1, -1], // later than any moment that the server knows
          [undefined, -1, -1],
        ] as const) {
          await client.set(name, bytes("v"), { ttl }, inTime());
          const left = (await client.get(name, { told: true }, inTime()))?.ttl;
          assert.ok(
            (left === undefined && least === 0) || (left !== undefined && left >= least && left <= most),
            `${ttl}: ${left}`,
          );
          if (least === 0) continue;
          assert.equal(await client.touch(name, ttl, inTime()), true);
        }
      });
    });

    it("refuses a value that the server would not take, and sends nothing", async () => {
      const server = await startMemcached({ kind, settings: ["-I", "2m"] });
      try {
        await having(clientOf([server]), async (client) => {
          const [{ maxItem } = { maxItem: 0 }] = await client.open(inTime());
          assert.equal(maxItem, 2 * 1024 * 1024);
          const largest = Buffer.alloc(maxItem - 512, 7);
          assert.equal((await client.set("k".repeat(250), largest, { flags: 1 }, inTime())).result, "stored");
          assert.deepEqual((await client.get("k".repeat(250), undefined, inTime()))?.value, largest);
          const refused = client.set("k", Buffer.alloc(largest.length + 1), {}, inTime());
          await assert.rejects(refused, { name: "StoreError", sent: false, message: /at most 2096640 bytes/ });
        });
      } finally {
        await server.stop();
      }
    });

    it("tells of a server that is full and evicts nothing: it refuses, and drops what was to be overwritten", async () => {
      const server = await startMemcached({ kind, settings: ["-M", "-m", "4"] });
      try {
        await having(clientOf([server]), async (client) => {
          const value = Buffer.alloc(100_000);
          await client.set("k", value, {}, inTime());
          let refused: StoreError | undefined;
          for (let i = 0; refused === undefined; i++) {
            refused = await client.set(`k${i}`, value, {}, inTime()).then(
              () => undefined,
              (error: StoreError) => error,
            );
          }
          assert.deepEqual([refused.name, refused.sent, refused.refused], ["StoreError", false, true]);
          assert.match(refused.message, /out of memory/);
          await assert.rejects(client.set("k", value, {}, inTime()), { refused: true });
          assert.equal(await client.get("k", undefined, inTime()), undefined);
        });
      } finally {
        await server.stop();
      }
    });

    it("asks of one server what it is told to, and of three each its share", async () => {
      const servers = await Promise.all([0, 1, 2].map(async () => startMemcached({ kind })));
      try {
        await having(clientOf(servers, quick), async (client) => {
          const names = Array.from({ length: 60 }, () => key());
          await Promise.all(names.map(async (name) => client.set(name, bytes(name), {}, inTime())));
          const found = await Promise.all(names.map(async (name) => client.get(name, undefined, inTime())));
          assert.deepEqual(
            found.map((item) => String(item?.value)),
            names,
          );
          const counts = await Promise.all(
            client.connections.map(async (one) => Number((await client.stats(one, "", inTime())).get("curr_items"))),
          );
          assert.equal(
            counts.reduce((sum, count) => sum + count, 0),
            names.length,
          );
          assert.ok(Math.min(...counts) > 3, counts.join());

          // Ejected, it fails at once, alone, and its keys stay its own; it is back by itself.
          const [gone] = servers as [MemcachedServer];
          const of = (name: string): boolean => client.serverOf(name).server.port === gone.port;
          const [its = "", other = ""] = [names.find(of), names.find((name) => !of(name))];
          await gone.kill();
          await until("it is ejected", async () => {
            const begun = performance.now();
            const isRefused = await client.get(its, undefined, inTime(2_000)).then(
              () => false,
              (error: unknown) => error instanceof StoreError && !error.sent,
            );
            return isRefused && performance.now() - begun < 50;
          });
          assert.equal(String((await client.get(other, undefined, inTime()))?.value), other);
          await gone.restart();
          await until("it is back", async () =>
            client.get(its, undefined, inTime()).then(
              (item) => item === undefined,
              () => false,
            ),
          );
        });
      } finally {
        await Promise.all(servers.map(async (server) => server.stop()));
      }
    });

    it("takes no cas of a server for one of the same server started anew", async () => {
      const server = await startMemcached({ kind });
      try {
        await having(clientOf([server]), async (client) => {
          const put = async (text: string): Promise<string> => {
            const set = await client.set("k", bytes(text), {}, inTime());
            assert.ok(set.result === "stored");
            return set.cas;
          };
          for (let i = 0; i < 5; i++) await put("1");
          const cas = await put("1");
          await server.restart();
          await until("it is back", async () =>
            put("0").then(
              () => true,
              () => false,
            ),
          );
          // The server gives the same number once more.
          const number = (from: string): number => Number(from.split(".")[1]);
          let now = await put("2");
          while (number(now) < number(cas)) now = await put("2");
          assert.equal(number(now), number(cas));
          assert.equal((await client.set("k", bytes("3"), { cas }, inTime())).result, "exists");
          assert.equal(await client.delete("k", { cas }, inTime()), "exists");
          assert.equal(String((await client.get("k", undefined, inTime()))?.value), "2");
        });
      } finally {
        await server.stop();
      }
    });

    it("ends a connection whose replies are overdue: they are nobody's, and each call ends in time", async () => {
      const server = await startMemcached({ kind });
      try {
        await having(clientOf([server], quick), async (client) => {
          await client.set("a", bytes("of a"), {}, inTime());
          server.pause();
          const begun = performance.now();
          // What was told to stand still does so in its own time.
          await until("it stands still", async () =>
            client.get("a", undefined, inTime(50)).then(
              () => false,
              ({ name, sent, message }: StoreError) => {
                assert.ok(name === "StoreError" && sent && message.includes("in time"), message);
                return true;
              },
            ),
          );
          const held = [client.get("a", undefined, inTime()), client.set("b", bytes("late"), {}, inTime())];
          for (const one of held) await assert.rejects(one, { sent: true, message: /sent nothing for 300 ms/ });
          assert.ok(performance.now() - begun < 10_000);
          server.resume();
          await until("it answers", async () =>
            client.ping(client.connections[0] as never, inTime()).then(
              () => true,
              () => false,
            ),
          );
          assert.equal(await client.get("nothing", undefined, inTime()), undefined);
          assert.equal(String((await client.get("a", undefined, inTime()))?.value), "of a");
        });
      } finally {
        server.resume();
        await server.stop();
      }
    });

    it("refuses what is more than may wait for a server, and sends nothing of it", async () => {
      const server = await startMemcached({ kind });
      try {
        await having(clientOf([server], { replyTimeout: 60_000 }), async (client) => {
          const refused = /^(?:16384 requests to the server wait for their replies|\d+ bytes wait to be sent)/;
          const count = async (calls: readonly Promise<unknown>[]): Promise<Record<string, number>> => {
            const counts = { done: 0, refused: 0 };
            for (const one of await Promise.allSettled(calls)) {
              if (one.status === "fulfilled") counts.done++;
              else {
                const { name, sent, message } = one.reason as StoreError;
                assert.ok(name === "StoreError" && !sent && refused.test(message), message);
                counts.refused++;
              }
            }
            return counts;
          };
          await client.open(inTime());
          const most = 16_384;
          const gets = Array.from({ length: most + 3 }, async () => client.get("none", undefined, inTime()));
          assert.deepEqual(await count(gets), { done: most, refused: 3 });
          // Once they are answered there is room again; then that many bytes are too many.
          const value = Buffer.alloc(1_000_000, 1);
          const sets = Array.from({ length: 100 }, async (_, i) => client.set(`k${i}`, value, {}, inTime()));
          assert.deepEqual(await count(sets), { done: 68, refused: 32 });
          assert.deepEqual(
            await Promise.all(
              [67, 68].map(async (i) => (await client.get(`k${i}`, undefined, inTime())) !== undefined),
            ),
            [true, false],
          );
        });
      } finally {
        await server.stop();
      }
    });

    it("refuses callers who wait for a server that is away, once there are as many as may be", async () => {
      const server = await startMemcached({ kind });
      try {
        await server.kill();
        await having(clientOf([server], { maxWaiting: 2 }), async (client) => {
          const calls = Array.from({ length: 5 }, async (_, i) => client.get(`k${i}`, undefined, inTime()));
          const reasons = (await Promise.allSettled(calls)).map((one) => (one.status === "rejected" ? one.reason : 0));
          assert.equal(
            reasons.filter(({ message }: Error) => /2 callers wait for one already/.test(message)).length,
            3,
          );
          assert.ok(reasons.every(({ name, sent }: StoreError) => name === "StoreError" && !sent));
        });
      } finally {
        await server.stop();
      }
    });

    it("opens on those of its servers that are there, and not without any", async () => {
      const servers = await Promise.all([0, 1].map(async () => startMemcached({ kind })));
      const [gone, other] = servers as [MemcachedServer, MemcachedServer];
      try {
        gone.pause();
        await having(clientOf(servers, { connectTimeout: 200 }), async (client) => {
          assert.equal((await client.open(inTime())).length, 1);
          await other.kill();
          await gone.kill();
        });
        await having(clientOf(servers, quick), async (client) => {
          await assert.rejects(client.open(inTime()), {
            name: "StoreError",
            sent: false,
            message: /cannot be reached/,
          });
        });
      } finally {
        gone.resume();
        await Promise.all(servers.map(async (server) => server.stop()));
      }
    });

    it("has one caller of all make a value anew, by the server's own word", async () => {
      await having(clientOf([await sharedMemcached(kind)]), async (client) => {
        const name = key();
        const claim = async () => fetchOrClaim(client, name, { claimFor: 30, recacheBefore: 20 }, inTime());
        const claims = await Promise.all(Array.from({ length: 20 }, claim));
        assert.deepEqual(claims.map(({ next }) => next).toSorted(), [
          "make",
          ...Array.from({ length: 19 }, () => "wait"),
        ]);
        assert.ok(claims.every(({ value }) => value === undefined));
        const won = claims.find(({ next }) => next === "make");
        const stored = await storeClaimed(client, name, bytes("1"), { claim: won?.claim ?? "", ttl: 600 }, inTime());
        assert.equal(stored.result, "stored");
        assert.deepEqual((({ next, value }) => [next, String(value)])(await claim()), ["nothing", "1"]);
        // Little of its time is left: one makes it anew, all have the old one.
        await client.touch(name, 15, inTime());
        assert.deepEqual(
          (await Promise.all([claim(), claim()])).map(({ next, value }) => [next, String(value)]),
          [
            ["make", "1"],
            ["wait", "1"],
          ],
        );
        // Invalidated: likewise, and again where that happens meanwhile.
        assert.equal(await invalidate(client, name, 60, inTime()), true);
        const stale = await claim();
        assert.deepEqual([stale.next, stale.isStale, String(stale.value)], ["make", true, "1"]);
        assert.equal((await claim()).next, "wait");
        await invalidate(client, name, 60, inTime());
        const late = await storeClaimed(client, name, bytes("late"), { claim: stale.claim, ttl: 600 }, inTime());
        assert.equal(late.result, "exists");
        const again = await claim();
        assert.deepEqual([again.next, again.isStale, String(again.value)], ["make", true, "1"]);
        await storeClaimed(client, name, bytes("2"), { claim: again.claim, ttl: 600 }, inTime());
        const fresh = await claim();
        assert.deepEqual([fresh.next, fresh.isStale, String(fresh.value)], ["nothing", false, "2"]);
      });
    });

    it("signs in where the server asks for it, and says so where it cannot", async () => {
      const { writeFileSync, mkdtempSync, rmSync } = await import("node:fs");
      const { tmpdir } = await import("node:os");
      const folder = mkdtempSync(`${tmpdir()}/holdfast-auth-`);
      after(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(`${folder}/users`, "app:secret\n");
      const ping = async (port: number): Promise<string> =>
        sendLines(port, /STORED\r\n/, "set auth 0 0 10\r\napp secret");
      const server = await startMemcached({ kind, settings: ["-Y", `${folder}/users`], ping });
      try {
        await having(clientOf([server], { username: "app", password: "secret" }), async (client) => {
          await client.set("k", bytes("v"), {}, inTime());
        });
        for (const [wrong, message] of [
          [{ username: "app", password: "other" }, /refuses the user or the password/],
          [{}, /asks for a user and a password/],
        ] as const) {
          await having(clientOf([server], wrong), async (client) => {
            await assert.rejects(client.get("k", undefined, inTime()), (error: Error & { code?: string }) => {
              assert.ok(!error.message.includes("other"));
              return error.code === "INVALID_ARGUMENT" && message.test(error.message);
            });
          });
        }
      } finally {
        await server.stop();
      }
    });

    it("refuses a server that compares nothing", async () => {
      const server = await startMemcached({ kind, settings: ["-C"] });
      try {
        await having(clientOf([server]), async (client) => {
          await assert.rejects(client.open(inTime()), { code: "UNSUPPORTED", message: /with -C: it compares nothing/ });
        });
      } finally {
        await server.stop();
      }
    });
  });
}

describe("options of the client", () => {
  const servers = [{ host: "h" }];
  for (const [what, options, message] of [
    ["no servers", { servers: [] }, /one server at least/],
    ["a port that is none", { servers: [{ host: "h", port: 70_000 }] }, /port must be/],
    ["a weight that is none", { servers: [{ host: "h", weight: 0 }] }, /weight must be/],
    ["too many servers", { servers: Array.from({ length: 1_025 }, (_, i) => ({ host: `h${i}` })) }, /1024 at most/],
    ["a server twice", { servers: [{ host: "h" }, { host: "h", port: 11_211 }] }, /each server once/],
    ["a user without a password", { servers, username: "u" }, /go together/],
    ["a user with a space", { servers, username: "u v", password: "p" }, /white space/],
    ["a bound that is none", { servers, maxWaiting: 0 }, /maxWaiting/],
    ["a time that is none", { servers, replyTimeout: 0 }, /replyTimeout/],
  ] as const) {
    it(`are refused: ${what}`, () => {
      assert.throws(() => new MetaClient(options), { code: "INVALID_ARGUMENT", message });
    });
  }
});

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { connect, isHoldfastError, type Holdfast, type HoldfastEvents } from "../../../../src/entries/index.ts";
import { wanted } from "../servers.ts";
import { faultKinds, lacks } from "../../../support/redis/kinds.ts";
import { startRedis, type RedisServer } from "../../../support/redis/server.ts";
import { until } from "../../../support/servers/until.ts";

interface Refusal {
  /** Has the server refuse commands. */
  begin(server: RedisServer): Promise<void>;
  /** Has it take them again; absent where it does so by itself. */
  end?(server: RedisServer): Promise<unknown>;
  /** Whether it refuses releases too. */
  readonly releases: boolean;
}

/** Resolves when the server gives such a reply to a write. */
async function says(server: RedisServer, word: string): Promise<void> {
  await until(word, async () =>
    server.command("SET", "probe", "1").then(
      () => false,
      (error: Error) => error.message.startsWith(word),
    ),
  );
}

const refusals: Readonly<Record<string, Refusal>> = {
  READONLY: {
    releases: true,
    // Of a server that is not there: it keeps what it has.
    begin: async (server) => void (await server.command("REPLICAOF", "127.0.0.1", "1")),
    end: async (server) => server.command("REPLICAOF", "NO", "ONE"),
  },
  BUSY: {
    releases: true,
    async begin(server) {
      await server.command("CONFIG", "SET", "lua-time-limit", "10");
      void server.command("EVAL", "while true do end", "0").catch(() => undefined);
    },
    end: async (server) => server.command("SCRIPT", "KILL"),
  },
  OOM: {
    releases: false,
    begin: async (server) => void (await server.command("CONFIG", "SET", "maxmemory", "1")),
    end: async (server) => server.command("CONFIG", "SET", "maxmemory", "0"),
  },
  MISCONF: {
    releases: true,
    async begin(server) {
      await server.command("CONFIG", "SET", "save", "3600 1");
      rmSync(server.folder, { recursive: true });
      await until("a snapshot that fails", async () => {
        await server.command("BGSAVE").catch(() => undefined);
        return String(await server.command("INFO", "persistence")).includes("rdb_last_bgsave_status:err");
      });
    },
    end: async (server) => server.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no"),
  },
  LOADING: {
    releases: true,
    async begin(server) {
      await server.command("DEBUG", "POPULATE", "300", "filler", "2048");
      await server.command("CONFIG", "SET", "loading-process-events-interval-bytes", "1024");
      await server.command("CONFIG", "SET", "key-load-delay", "10000");
      void server.command("DEBUG", "RELOAD").catch(() => undefined);
    },
  },
};

/** The next event of a name that `is` says. */
async function heard<Name extends keyof HoldfastEvents>(
  hf: Holdfast,
  name: Name,
  is: (event: HoldfastEvents[Name]) => boolean = () => true,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = hf.on(name, (event) => {
      if (!is(event)) return;
      end();
      resolve();
    });
  });
}

for (const kind of faultKinds) {
  for (const [word, { begin, end, releases }] of Object.entries(refusals)) {
    const title = `${kind} says ${word} for a while: who waits for a lock gets it, what is held is kept, a release is made`;
    void test(title, { skip: lacks(kind), timeout: 60_000 }, async () => {
      // What is older allows it, and does not know the setting.
      const settings = "debian" in wanted[kind] ? { "enable-debug-command": "yes" } : {};
      const server = await startRedis({ kind, appendonly: "everysec", settings });
      const options = { service: "refusals", timeout: "1s" } as const;
      const [one, other] = await Promise.all([connect(server.url, options), connect(server.url, options)]);
      try {
        const [lock, beyond] = [one.lock("l", { wait: "50s" }), other.lock("l", { wait: "50s" })];
        const released = await lock.acquire("released", { ttl: "50s" });
        const held = await lock.acquire("held", { ttl: "9s" });
        const queued = beyond.acquire("released");
        await until("it waits", async () => (await lock.inspect("released"))?.waiting === 1);

        await begin(server);
        await says(server, word);
        const told = heard(one, "error", ({ error }) => isHoldfastError(error) && error.message.includes(word));
        const waits = [lock.acquire("new"), beyond.acquire(["a", "b"]), beyond.readWrite("rates").read.acquire()];
        const once = beyond.runOnce("id", () => 7);
        for (const wait of [...waits, once]) wait.catch(() => undefined);
        await assert.rejects(lock.tryAcquire("tried"), (error) => {
          return isHoldfastError(error, "UNAVAILABLE") && (error as { refused?: unknown }).refused === true;
        });
        // Longer than a call may take.
        assert.equal(await released.release(), releases ? "unknown" : "released");
        await told;
        await end?.(server);

        for (const lease of await Promise.all([queued, ...waits])) lease.assertHeld();
        assert.equal((await once).value, 7);
        await held.extend();
        held.assertHeld();
      } finally {
        await Promise.all([one.close(), other.close()]);
        await server.stop();
      }
    });
  }
}

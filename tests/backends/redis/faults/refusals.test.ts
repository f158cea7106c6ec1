import { rmSync } from "node:fs";
import { wanted } from "../servers.ts";
import { refusalFaults } from "../../../support/faults/refusals.ts";
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

for (const kind of faultKinds) {
  for (const [word, { begin, end, releases }] of Object.entries(refusals)) {
    refusalFaults(kind, lacks(kind), {
      name: word,
      says: new RegExp(word),
      releases,
      async start() {
        // What is older allows it, and does not know the setting.
        const settings = "debian" in wanted[kind] ? { "enable-debug-command": "yes" } : {};
        const server = await startRedis({ kind, appendonly: "everysec", settings });
        return {
          url: server.url,
          async begin() {
            await begin(server);
            await says(server, word);
          },
          end: async () => end?.(server),
          stop: async () => server.stop(),
        };
      },
    });
  }
}

import { setTimeout as pause } from "node:timers/promises";

/** Moves one from an account to another, each account as JSON `{ balance }`. */
export interface Transfer {
  run(from: string, to: string): Promise<void>;
  close(): Promise<void>;
}

/** Longest random pause after a conflict, in ms. */
const longestPauseMs = 5;

/** What one writes by hand: read, try, on a conflict pause for a random time and do it again, without an end. */
export async function peerOf(url: string): Promise<Transfer> {
  return url.startsWith("redis:") ? redisLoop(url) : lmdbLoop(url);
}

const moved = (text: string | null | undefined, by: number): string => {
  const { balance } = JSON.parse(text ?? '{"balance":0}') as { balance: number };
  return JSON.stringify({ balance: balance + by });
};

/** WATCH, MGET, MULTI, SET, SET, EXEC, on as many connections as are in flight: WATCH belongs to its connection. */
async function redisLoop(url: string): Promise<Transfer> {
  const { createClient, WatchError } = await import("redis");
  const make = async () => createClient({ url, disableClientInfo: true }).connect();
  type Client = Awaited<ReturnType<typeof make>>;
  const idle: Client[] = [];
  const all: Client[] = [];
  const free = async (): Promise<Client> => {
    const client = idle.pop() ?? (await make());
    if (!all.includes(client)) all.push(client);
    return client;
  };
  return {
    async run(from, to) {
      const client = await free();
      for (;;) {
        try {
          const [, [x, y]] = await Promise.all([client.watch([from, to]), client.mGet([from, to])]);
          await client.multi().set(from, moved(x, -1)).set(to, moved(y, 1)).exec();
          break;
        } catch (error) {
          if (!(error instanceof WatchError)) throw error;
          await pause(Math.random() * longestPauseMs);
        }
      }
      idle.push(client);
    },
    close: async () => void (await Promise.all(all.map(async (client) => client.close()))),
  };
}

/** Reads outside of a transaction, then compares and puts in one, and waits until that is flushed. */
async function lmdbLoop(path: string): Promise<Transfer> {
  const { open } = await import("lmdb");
  const db = open<string, string>({ path, encoding: "string" });
  return {
    async run(from, to) {
      for (;;) {
        db.resetReadTxn();
        const [x, y] = [db.get(from), db.get(to)];
        const done = await db.transaction(() => {
          if (db.get(from) !== x || db.get(to) !== y) return false;
          void db.put(from, moved(x, -1));
          void db.put(to, moved(y, 1));
          return true;
        });
        if (done) break;
        await pause(Math.random() * longestPauseMs);
      }
      await db.flushed;
    },
    close: async () => db.close(),
  };
}

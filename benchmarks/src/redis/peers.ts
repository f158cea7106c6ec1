import { Redis } from "ioredis";
import { connectOwn, connectRaw, RAW_ACQUIRE, RAW_RELEASE } from "./clients.ts";

/** What most of the packages give for a lock that is held, so that nothing of the benchmark stands between it and what is measured. */
export interface Held {
  release(): Promise<unknown>;
}

/** A lock as the benchmarks use it. */
export interface LockPeer {
  /** Waits for the key. */
  acquire(key: string): Promise<Held>;
  close(): Promise<unknown>;
}

/** How a peer that asks again and again is told to do so: as it does by itself, or with a short delay. */
export type Retry = "default" | "tuned";

/** What the tuned variants wait between two attempts: redis-semaphore's own default is 10 ms. */
export const TUNED_DELAY_MS = 5;
const TTL_MS = 30_000;
const PREFIX = "bench:";

/** Every lock that is measured, by the name in the tables. */
export const lockPeers: Readonly<Record<string, (url: string, retry: Retry) => Promise<LockPeer>>> = {
  holdfast: async (url) => {
    const hf = await connectOwn(url);
    const lock = hf.lock("bench", { wait: "10m" });
    return {
      acquire: (key) => lock.acquire(key),
      close: () => hf.close(),
    };
  },
  redlock: async (url, retry) => {
    const { default: Redlock } = (await import("redlock" as string)) as { default: Redlock4 };
    const client = new Redis(url);
    const redlock = new Redlock([client], {
      retryCount: -1,
      ...(retry === "tuned" ? { retryDelay: TUNED_DELAY_MS, retryJitter: TUNED_DELAY_MS } : {}),
    });
    return {
      acquire: async (key) => {
        const lock = await redlock.lock(PREFIX + key, TTL_MS);
        return { release: () => lock.unlock() };
      },
      close: () => client.quit(),
    };
  },
  "redlock 5 beta": async (url, retry) => {
    const { default: Redlock } = (await import("redlock-beta" as string)) as { default: Redlock5 };
    const client = new Redis(url);
    const redlock = new Redlock([client], {
      retryCount: -1,
      ...(retry === "tuned" ? { retryDelay: TUNED_DELAY_MS, retryJitter: TUNED_DELAY_MS } : {}),
    });
    return {
      acquire: (key) => redlock.acquire([PREFIX + key], TTL_MS),
      close: () => client.quit(),
    };
  },
  "redis-semaphore": async (url, retry) => {
    const { Mutex } = await import("redis-semaphore");
    const client = new Redis(url);
    const options = {
      lockTimeout: TTL_MS,
      acquireTimeout: 600_000,
      ...(retry === "tuned" ? { retryInterval: TUNED_DELAY_MS } : {}),
    };
    return {
      acquire: async (key) => {
        const mutex = new Mutex(client, key, options);
        await mutex.acquire();
        return mutex;
      },
      close: () => client.quit(),
    };
  },
  verrou: async (url, retry) => {
    const { Verrou } = await import("@verrou/core");
    const { redisStore } = await import("@verrou/core/drivers/redis");
    const client = new Redis(url);
    const verrou = new Verrou({
      default: "redis",
      stores: { redis: { driver: redisStore({ connection: client }) } },
    });
    const options = retry === "tuned" ? { retry: { delay: TUNED_DELAY_MS } } : {};
    return {
      acquire: async (key) => {
        const lock = verrou.createLock(key, TTL_MS);
        if (!(await lock.acquire(options))) throw new Error("verrou gave up");
        return lock;
      },
      close: () => client.quit(),
    };
  },
};

/** What {@link rawLock} is called in the tables. */
export const RAW = "raw limit: two EVALSHA";

/** Two EVALSHA calls and nothing else: no lease that is watched, no fence, no waiting. */
export async function rawLock(url: string): Promise<LockPeer> {
  const client = await connectRaw(url);
  const acquire = await client.scriptLoad(RAW_ACQUIRE);
  const release = await client.scriptLoad(RAW_RELEASE);
  let drawn = 0;
  return {
    acquire: async (key) => {
      const keys = [PREFIX + key];
      const owner = `owner-${drawn++}`;
      const taken = await client.evalSha(acquire, { keys, arguments: [owner, `${TTL_MS}`] });
      if (taken === null) throw new Error("a key was not free");
      return { release: () => client.evalSha(release, { keys, arguments: [owner] }) };
    },
    close: () => client.close(),
  };
}

/** What is used of redlock 4, which brings no types. */
type Redlock4 = new (
  clients: readonly Redis[],
  settings: RedlockSettings,
) => { lock(key: string, ttlMs: number): Promise<{ unlock(): Promise<unknown> }> };

/** What is used of redlock 5, whose types are written for another ioredis. */
type Redlock5 = new (
  clients: readonly Redis[],
  settings: RedlockSettings,
) => { acquire(keys: string[], ttlMs: number): Promise<Held> };

interface RedlockSettings {
  readonly retryCount: number;
  readonly retryDelay?: number;
  readonly retryJitter?: number;
}

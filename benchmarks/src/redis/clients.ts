import { connect, type Holdfast } from "holdfast";
import { createClient } from "redis";

/** Holdfast as it comes. The server keeps nothing on disk, which is refused unless one says that it is known. */
export function connectOwn(url: string): Promise<Holdfast> {
  return connect(`${url}?settings=warn`, { service: "bench" });
}

// An own property that is undefined is what turns the timer off; the types know no such thing.
const NO_TIMER: object = { timeout: undefined };

/** The client that Holdfast uses itself, with the settings that make it fastest: no timer for each command. */
export async function connectRaw(url: string) {
  const client = createClient({ url, commandOptions: NO_TIMER, disableOfflineQueue: true });
  // A call that fails says so itself.
  client.on("error", () => {});
  await client.connect();
  return client;
}

export type Raw = Awaited<ReturnType<typeof connectRaw>>;

/** An acquire and a release, as small as they can be. */
export const RAW_ACQUIRE = `return redis.call("SET", KEYS[1], ARGV[1], "NX", "PX", ARGV[2])`;
export const RAW_RELEASE = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`;

import { defineBackend, drawId, StoreError } from "holdfast/backend";
import type { Message, Range, Read, Store, Transaction } from "holdfast/backend";
import { createClient, RESP_TYPES } from "redis";

/** Compares every cell with what it must be, by its first 16 bytes; then changes what was asked, if all of them are. */
const commitScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local key, arg, answers = 1, 1, {}
while arg <= #ARGV do
  local cells, changes = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1])
  local good = now >= tonumber(ARGV[arg + 2]) and now < tonumber(ARGV[arg + 3])
  arg = arg + 4
  for i = 0, cells - 1 do
    if redis.call('GETRANGE', KEYS[key + i], 0, 15) ~= ARGV[arg + i] then good = false end
  end
  key, arg = key + cells, arg + cells
  for i = key - changes, key - 1 do
    local content, ends = ARGV[arg], ARGV[arg + 1]; arg = arg + 2
    if good and content == '' then redis.call('DEL', KEYS[i])
    elseif good and ends == '' then redis.call('SET', KEYS[i], content)
    elseif good then redis.call('SET', KEYS[i], content, 'PXAT', ends) end
  end
  answers[#answers + 1] = good and 1 or 0
end
return answers`;

/** Cells in one Redis server, as strings. What a content begins with, which no other has, is its revision. */
class RedisStore implements Store {
  readonly atomic = "any";
  readonly declares = {
    exclusion: "primary",
    fence: "clock",
    reads: "primary",
    durability: "none", // nobody has looked at how the server is set
    clock: "server",
    timed: true,
    ttlGranularity: 1,
    shared: "network",
    maxContent: 64 * 1024 * 1024,
  } as const;
  readonly messages = {
    tell: async (all: readonly Message[]): Promise<void> => {
      await Promise.all(all.map(({ topic, body }) => this.#send("PUBLISH", `${this.#prefix}m:${topic}`, body)));
    },
    hear: async (topic: string, listener: (body: string | undefined) => void): Promise<() => void> => {
      const subscriber = this.#subscriber as Client;
      const channel = `${this.#prefix}m:${topic}`;
      const missed = (): void => listener(undefined);
      await subscriber.subscribe(channel, listener);
      subscriber.on("ready", missed); // again, after the connection was lost
      return () => {
        subscriber.off("ready", missed);
        subscriber.unsubscribe(channel, listener).catch(() => undefined); // a connection that is lost hears nothing
      };
    },
  };
  readonly #url: string;
  readonly #prefix: string;
  readonly #made: Client[] = [];
  #client: Client | undefined;
  #subscriber: Client | undefined;

  constructor({ url, prefix }: RedisStoreOptions) {
    this.#url = url;
    this.#prefix = `${prefix}:`;
  }

  async open(): Promise<{ domain: string }> {
    [this.#client, this.#subscriber] = await Promise.all([this.#connect(), this.#connect()]);
    await this.#send("SET", `${this.#prefix}domain`, drawId(), "NX");
    return { domain: String(await this.#send("GET", `${this.#prefix}domain`)) };
  }

  async read(keys: readonly string[]): Promise<Read> {
    const asked = [this.#send("TIME"), this.#send("MGET", ...keys.map((key) => this.#prefix + key))]; // in one go
    const [time, found] = (await Promise.all(asked)) as [Buffer[], (Buffer | null)[]];
    return { cells: found.map(cellOf), now: Number(time[0]) * 1_000 + Number(time[1]) / 1_000 };
  }

  async commit(transactions: readonly Transaction[]): Promise<(false | string[])[]> {
    const keys: string[] = [];
    const args: (string | Buffer)[] = [];
    for (const { checks, changes, notBefore = 0, notAfter = 1e15 } of transactions) {
      const cells = [...checks, ...changes];
      for (const { key } of cells) keys.push(this.#prefix + key);
      args.push(...[cells.length, changes.length, notBefore, notAfter].map(String));
      for (const { revision = "" } of cells) args.push(String(revision));
      for (const { content, until } of changes) {
        args.push(content ? Buffer.from(content.buffer, content.byteOffset, content.byteLength) : "");
        args.push(until === Infinity ? "" : String(Math.ceil(until)));
      }
    }
    const answers = (await this.#send("EVAL", commitScript, String(keys.length), ...keys, ...args)) as number[];
    return transactions.map(({ changes }, i) => answers[i] === 1 && changes.map(({ content }) => revisionOf(content)));
  }

  /** Looks at every name in the server: well enough for some ten thousand of them. */
  async scan({ prefix, after, most }: Range): Promise<string[]> {
    const match = `${(this.#prefix + prefix).replaceAll(/[\\*?[\]^-]/g, String.raw`\$&`)}*`;
    const found = new Set<string>();
    let cursor = "0";
    do {
      const [next, names] = (await this.#send("SCAN", cursor, "MATCH", match, "COUNT", "1000")) as [Buffer, Buffer[]];
      for (const name of names) found.add(name.toString().slice(this.#prefix.length));
      cursor = next.toString();
    } while (cursor !== "0");
    return [...found]
      .filter((key) => after === undefined || key > after)
      .sort()
      .slice(0, most);
  }

  async close(): Promise<void> {
    for (const client of this.#made) if (client.isOpen) client.destroy();
  }

  /** Sends now or not at all: what waited for a connection might be sent after its caller was told that it was not. */
  #send(...args: (string | Buffer)[]): Promise<unknown> {
    if (!this.#client?.isReady) throw new StoreError("the server is away", { sent: false });
    return this.#client.sendCommand(args);
  }

  async #connect(): Promise<Client> {
    const client = newClient(this.#url, (tries, cause) => (this.#client ? Math.min(50 * tries, 1_000) : cause));
    client.on("error", () => undefined); // whoever asks meanwhile is told
    this.#made.push(client);
    return client.connect();
  }
}

export type RedisStoreOptions = { readonly url: string; readonly prefix: string };
type Client = ReturnType<typeof newClient>;

function newClient(url: string, reconnectStrategy: (tries: number, cause: Error) => number | Error) {
  const commandOptions = { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
  return createClient({ url, RESP: 2, socket: { reconnectStrategy }, disableOfflineQueue: true, commandOptions });
}

const revisionOf = (content: Uint8Array = new Uint8Array()) => Buffer.from(content.subarray(0, 16)).toString("latin1");
const cellOf = (content: Buffer | null) => (content ? { content, revision: revisionOf(content) } : undefined);

export const ownRedis = defineBackend<RedisStoreOptions>({
  name: "own-redis",
  schemes: ["own-redis://"],
  dependency: { name: "redis", range: ">=6 <7" },
  fromUrl: (url) => ({ url: url.withPassword().replace("own-redis:", "redis:"), prefix: "own" }),
  open: (options) => new RedisStore(options),
});

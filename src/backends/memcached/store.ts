import { hash } from "node:crypto";
import { isHoldfastError } from "../../base/errors.ts";
import type { Time } from "../../base/time.ts";
import { StoreError } from "../store/index.ts";
import type {
  Answer,
  Cell,
  Change,
  Declares,
  Examined,
  Found,
  Limit,
  Read,
  Store,
  Transaction,
} from "../store/store.ts";
import { MetaClient, mostValueOf, nameOf, type ServerFacts } from "./client/index.ts";
import { examineServers } from "./examine.ts";
import type { ResolvedOptions } from "./options.ts";

/** How much longer than its end an item is kept, in s: a second of the server's clock may be nearly over. */
const longer = 1;
/** Items that a server takes unless it is told otherwise, in bytes. */
const usualItem = 1024 * 1024;

/** What memcached promises: it forgets what it likes, and all of it when it is started anew. */
export function declared(guard: "none" | "floor"): Declares {
  return {
    exclusion: "advisory",
    fence: "clock",
    guard,
    reads: "linearizable",
    durability: "none",
    ttlGranularity: 1,
    shared: "network",
    clock: "client",
    maxContent: mostValueOf({ maxItem: usualItem }),
  };
}

/**
 * Cells in memcached: an item each. The exact end is in the content; the server's own comes a second later. A revision
 * is the item's cas with the connection that it was read over: a server that is started anew counts from 1 again.
 */
export class MemcachedStore implements Store {
  readonly atomic = "one";
  readonly declares: Declares;
  readonly servers?: NonNullable<Store["servers"]>;
  readonly #client: MetaClient;
  readonly #time: Time;
  readonly #prefix: string;
  readonly #domain: string;

  constructor({ client, prefix, guard }: ResolvedOptions, time: Time) {
    this.#client = new MetaClient(client, time);
    this.#time = time;
    this.#prefix = `${prefix}:`;
    this.declares = declared(guard);
    const { connections } = this.#client;
    if (connections.length > 1) {
      this.servers = { count: connections.length, of: (cell) => this.#client.placeOf(this.#prefix + cell) };
    }
    // Nothing that is kept in the servers outlives them all: the same servers under the same names are the same cells.
    const places = connections.map(({ server }) => `${nameOf(server)} ${server.weight}`).toSorted();
    this.#domain = hash("sha256", JSON.stringify([prefix, places]), "base64url");
  }

  async open(limit: Limit): Promise<{ readonly domain: string; readonly declares: Found }> {
    return { domain: this.#domain, declares: foundOn(await this.#client.open(limit)) };
  }

  async read(keys: readonly string[], limit: Limit): Promise<Read> {
    return { cells: await Promise.all(keys.map(async (key) => this.#read(key, limit).catch(cellError))) };
  }

  async commit(transactions: readonly Transaction[], limit: Limit): Promise<readonly Answer[]> {
    return Promise.all(
      transactions.map(async ({ changes: [change] }) => this.#change(change as Change, limit).catch(cellError)),
    );
  }

  async examine(limit: Limit): Promise<Examined> {
    const facts = await this.#client.open(limit);
    return { ...(await examineServers(this.#client, this.#time, limit)), declares: foundOn(facts) };
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #read(key: string, limit: Limit): Promise<Cell | undefined> {
    const item = await this.#client.get(this.#prefix + key, undefined, limit);
    return item && { content: item.value, revision: item.cas };
  }

  async #change(change: Change, limit: Limit): Promise<Answer> {
    const { key, revision, blind, content, until } = change;
    if (!content) return (await this.#isRemoved(change, limit)) && [undefined];
    const cas = revision === undefined ? undefined : String(revision);
    const ttl = until === Infinity ? undefined : Math.max(0, until - this.#time.wall()) / 1_000 + longer;
    const mode = cas === undefined && !blind ? "add" : "set";
    const stored = await this.#client.set(this.#prefix + key, content, { cas, ttl, mode }, limit);
    return stored.result === "stored" && [stored.cas];
  }

  /** Removes a cell if it is as expected. One that is expected to be absent is looked for: another's must stay. */
  async #isRemoved({ key, revision, blind }: Change, limit: Limit): Promise<boolean> {
    const item = this.#prefix + key;
    if (revision === undefined && !blind) return (await this.#client.get(item, undefined, limit)) === undefined;
    const cas = revision === undefined ? undefined : String(revision);
    const result = await this.#client.delete(item, { cas }, limit);
    return result === "deleted" || (blind === true && result === "missing");
  }
}

/** One that fails is no other's business. What never can work was not sent. */
function cellError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StoreError(message, { sent: !isHoldfastError(error), cause: error });
}

function foundOn(servers: readonly ServerFacts[]): Found {
  return { maxContent: Math.min(...servers.map(mostValueOf)) };
}

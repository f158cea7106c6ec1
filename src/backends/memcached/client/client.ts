import { systemTime, type Time } from "../../../base/time.ts";
import { StoreError } from "../../store/index.ts";
import type { Limit } from "../../store/store.ts";
import { collected, countOf, deletedOf, doneOf, itemOf, storedOf } from "./answers.ts";
import type { CountOptions, Deleted, DeleteOptions, GetOptions, Item, SetOptions, Stored } from "./calls.ts";
import { wireKey, type WireKey } from "./keys.ts";
import type { Link, ServerFacts } from "./link.ts";
import { resolve, type MetaClientOptions } from "./options.ts";
import type { Reply } from "./parser.ts";
import { Ring } from "./ring.ts";
import { ServerConnection } from "./server.ts";

/** What the server keeps beside a value, in bytes, at most: its head, its cas and its key. */
const besides = 512;
/** Longer times to live are a moment of the server's clock, in s. */
const longestRelative = 30 * 86_400;
/** No moment is later for the server, in s since 1970. */
const latestMoment = 0x7fff_ffff;

const modes = { set: "", add: " ME", replace: " MR", append: " MA", prepend: " MP" } as const;

/**
 * A client for memcached's meta protocol. Keys are any text, values are bytes. A call rejects with a StoreError that
 * says whether it may have taken effect; with InvalidArgumentError for a key that cannot be, or credentials that are
 * refused; with UnsupportedError for a server that lacks what is needed. Nothing is sent twice.
 */
export class MetaClient {
  readonly connections: readonly ServerConnection[];
  readonly #ring: Ring | undefined;

  /** No I/O. Throws InvalidArgumentError. */
  constructor(options: MetaClientOptions, time: Time = systemTime) {
    const { servers, settings } = resolve(options);
    this.connections = servers.map((server) => new ServerConnection(server, settings, time));
    if (servers.length > 1) this.#ring = new Ring(servers);
  }

  /** Which of the {@link connections} a key belongs to. */
  placeOf(key: string): number {
    return this.#ring?.pick(key) ?? 0;
  }

  serverOf(key: string): ServerConnection {
    return this.connections[this.placeOf(key)] as ServerConnection;
  }

  /**
   * Tries each server once: what is known of those that are there. Rejects where none is in time, and where one will
   * never do.
   */
  async open(limit: Limit): Promise<readonly ServerFacts[]> {
    await Promise.all(this.connections.map(async (one) => one.tried(limit)));
    const links = this.connections.flatMap(({ link }) => link ?? []);
    for (const { link, problem } of this.connections) {
      if (!link && problem && problem.code !== "UNAVAILABLE") throw problem;
    }
    if (links.length > 0) return links.map(({ facts }) => facts);
    const coming = this.connections.map(async (one) => one.connected(limit));
    const link = await Promise.any(coming).catch(async () => coming[0] as Promise<Link>);
    return [link.facts];
  }

  /** `undefined` where there is none. */
  get(key: string, options: GetOptions | undefined, limit: Limit): Promise<Item | undefined> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const line = `mg ${token}${flag} v c${options ? askedBy(link, options) : ""}`;
      const read = (reply: Reply, flags: string): Item | undefined => itemOf(link, reply, flags);
      return link.ask({ line, read, deadline: limit.deadline, numbered: true });
    });
  }

  /** Rejects with StoreError, and sends nothing, for a value that is too large for the server. */
  set(key: string, data: Uint8Array, options: SetOptions, limit: Limit): Promise<Stored> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const { ttl, cas, mode = "set", flags } = options;
      const most = mostValueOf(link.facts);
      if (data.length > most) throw new StoreError(`a value has at most ${most} bytes there`, { sent: false });
      const compared = casOf(link, cas);
      if (compared === undefined) return Promise.resolve({ result: "exists" });
      const kept = `${ttl === undefined ? "" : ` T${exptimeOf(link, ttl)}`}${flags ? ` F${flags}` : ""}`;
      const line = `ms ${token} ${data.length}${flag} c${compared}${modes[mode]}${kept}`;
      const read = (reply: Reply, found: string): Stored => storedOf(link, reply, found, mode);
      return link.ask({ line, data, read, deadline: limit.deadline, numbered: true });
    });
  }

  /** Gives an item another end, `ttl` s from now, or none. `false` where there is none. */
  touch(key: string, ttl: number | undefined, limit: Limit): Promise<boolean> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const line = `mg ${token}${flag} T${ttl === undefined ? 0 : exptimeOf(link, ttl)}`;
      return link.ask({ line, read: doneOf("HD", "EN"), deadline: limit.deadline, numbered: true });
    });
  }

  /** `exists`: it has another cas. */
  delete(key: string, { cas, staleFor }: DeleteOptions, limit: Limit): Promise<Deleted> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const compared = casOf(link, cas);
      if (compared === undefined) return Promise.resolve("exists");
      const stale = staleFor === undefined ? "" : ` I T${exptimeOf(link, staleFor)}`;
      const line = `md ${token}${flag}${compared}${stale}`;
      return link.ask({ line, read: deletedOf, deadline: limit.deadline, numbered: true });
    });
  }

  /** Counts up or down; the new count, or `undefined` where there is none. Rejects for what is no number. */
  count(key: string, { delta = 1, down, initial }: CountOptions, limit: Limit): Promise<bigint | undefined> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const begins = initial ? ` N${exptimeOf(link, initial.ttl)} J${initial.value}` : "";
      const line = `ma ${token}${flag} v D${delta}${down ? " MD" : ""}${begins}`;
      return link.ask({ line, read: countOf, deadline: limit.deadline, numbered: true });
    });
  }

  /** Asks a server whether it is there. */
  async ping(connection: ServerConnection, limit: Limit): Promise<void> {
    const link = connection.link ?? (await connection.connected(limit));
    await link.ask({ line: "mn", read: doneOf("MN", "MN"), deadline: limit.deadline, numbered: false });
  }

  /** Statistics of a server: of `"settings"`, or its own. */
  async stats(connection: ServerConnection, of: "" | " settings", limit: Limit): Promise<ReadonlyMap<string, string>> {
    const link = connection.link ?? (await connection.connected(limit));
    return link.ask({ line: `stats${of}`, read: collected(), deadline: limit.deadline, numbered: false });
  }

  /** Ends all connections: what is under way rejects. */
  close(): void {
    for (const connection of this.connections) connection.close();
  }

  /** Over the connection of the key's server, at once where there is one. */
  #on<T>(key: string, limit: Limit, send: (link: Link, key: WireKey) => Promise<T>): Promise<T> {
    try {
      const sent = wireKey(key);
      const connection = this.serverOf(key);
      const { link } = connection;
      return link ? send(link, sent) : connection.connected(limit).then((made) => send(made, sent));
    } catch (error) {
      return failing(error);
    }
  }
}

/** The largest value that a server takes, in bytes. */
export function mostValueOf({ maxItem }: Pick<ServerFacts, "maxItem">): number {
  return maxItem - besides;
}

/** ` C` and the cas, nothing where none is given; undefined for one of another connection. */
function casOf(link: Link, cas: string | undefined): string | undefined {
  if (cas === undefined) return "";
  const dot = cas.indexOf(".");
  return Number(cas.slice(0, dot)) === link.id ? ` C${cas.slice(dot + 1)}` : undefined;
}

/** A time to live as the server takes it: a longer one is a moment of its own clock, and the longest are never. */
function exptimeOf(link: Link, ttl: number): number {
  const seconds = secondsOf(ttl);
  if (seconds <= longestRelative) return seconds;
  const moment = Math.ceil(link.serverTime) + seconds;
  return moment > latestMoment ? 0 : moment;
}

/** Whole seconds, one at least: 0 would mean never. */
function secondsOf(seconds: number): number {
  return Math.min(Math.max(Math.ceil(seconds), 1), latestMoment);
}

async function failing(error: unknown): Promise<never> {
  throw error;
}

function askedBy(link: Link, { vivify, recache, told }: GetOptions): string {
  const made = vivify === undefined ? "" : ` N${exptimeOf(link, vivify)}`;
  const anew = recache === undefined ? "" : ` R${secondsOf(recache)}`;
  return `${told ? " t f" : ""}${made}${anew}`;
}

import { systemTime, type Time } from "../../../base/time.ts";
import { StoreError } from "../../store/index.ts";
import { collected } from "./attempt.ts";
import { wireKey, type WireKey } from "./keys.ts";
import type { Asking } from "./asked.ts";
import type { Link, ServerFacts } from "./link.ts";
import { resolve, type MetaClientOptions } from "./options.ts";
import { ProtocolError, type Reply } from "./parser.ts";
import { Ring } from "./ring.ts";
import { ServerConnection } from "./server.ts";

/** What the server keeps beside a value, in bytes, at most: its head, its cas and its key. */
const besides = 512;
/** Longer times to live are a moment of the server's clock, in s. */
const longestRelative = 30 * 86_400;

export interface Limit {
  /** When nobody waits any more, by `time.monotonic()`. */
  readonly deadline: number;
}

export interface GetOptions {
  /** Makes an item without a value that lives for so long, in s, where there is none; whoever made it has won. */
  readonly vivify?: number | undefined;
  /** Whoever finds first that no more than so much of its time is left, in s, has won. */
  readonly recache?: number | undefined;
  /** Whether the ttl and the client flags are told. */
  readonly told?: boolean | undefined;
}

export interface Item {
  /** Not to be changed: it shares memory with what was received with it. */
  readonly value: Buffer;
  /** Names this state of the item; for {@link SetOptions.cas}, over the same connection. */
  readonly cas: string;
  /** What is left of its time to live, in s; -1 for no end. With `told`. */
  readonly ttl: number | undefined;
  /** With `told`. */
  readonly flags: number | undefined;
  /** The caller is the one who is to make it anew. */
  readonly won: boolean;
  /** Somebody else is about to make it anew. */
  readonly claimed: boolean;
  /** It was invalidated. */
  readonly stale: boolean;
}

export interface SetOptions {
  /** In s; fractions are rounded up. Default: it never ends. */
  readonly ttl?: number | undefined;
  /** Only while the item has this cas. A cas of an earlier connection counts as another. */
  readonly cas?: string | undefined;
  /** `add`: only where there is none; `replace`, `append`, `prepend`: only where there is one. Default `"set"`. */
  readonly mode?: "set" | "add" | "replace" | "append" | "prepend" | undefined;
  readonly flags?: number | undefined;
}

/** `stored`; `exists`: it has another cas, or is there already; `missing`: there is none. */
export type Stored = { readonly result: "stored"; readonly cas: string } | { readonly result: "exists" | "missing" };

export interface DeleteOptions {
  readonly cas?: string | undefined;
  /** It stays as stale for so long, in s: who gets it first has won. */
  readonly staleFor?: number | undefined;
}

export type Deleted = "deleted" | "exists" | "missing";

export interface CountOptions {
  /** How much is added. Default 1. */
  readonly delta?: number | undefined;
  /** Takes away instead; no less than 0 is left. */
  readonly down?: boolean | undefined;
  /** What it begins with where there is none, for so long. Without it there stays none. */
  readonly initial?: { readonly value: number; readonly ttl: number } | undefined;
}

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

  /** Which server has a key. */
  serverOf(key: string): ServerConnection {
    return this.connections[this.#ring?.pick(key) ?? 0] as ServerConnection;
  }

  /** Reaches the servers, each or none: what is known of those that are there. Rejects where none is. */
  async open(limit: Limit): Promise<readonly ServerFacts[]> {
    const reached = await Promise.allSettled(this.connections.map(async (one) => one.connected(limit)));
    const links = reached.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const one of reached) {
      const isAway = one.status === "rejected" && one.reason instanceof StoreError;
      if (one.status === "rejected" && (!isAway || links.length === 0)) throw one.reason;
    }
    return links.map(({ facts }) => facts);
  }

  /** `undefined` where there is none. */
  get(key: string, options: GetOptions | undefined, limit: Limit): Promise<Item | undefined> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const line = `mg ${token}${flag} v c${options ? askedBy(options) : ""}`;
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
      const stale = staleFor === undefined ? "" : ` I T${secondsOf(staleFor)}`;
      const line = `md ${token}${flag}${compared}${stale}`;
      return link.ask({ line, read: deletedOf, deadline: limit.deadline, numbered: true });
    });
  }

  /** Counts up or down; the new count, or `undefined` where there is none. Rejects for what is no number. */
  count(key: string, { delta = 1, down, initial }: CountOptions, limit: Limit): Promise<bigint | undefined> {
    return this.#on(key, limit, (link, { token, flag }) => {
      const begins = initial ? ` N${secondsOf(initial.ttl)} J${initial.value}` : "";
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

/** Longer times are a moment of the server's own clock. */
function exptimeOf(link: Link, ttl: number): number {
  const seconds = secondsOf(ttl);
  if (seconds <= longestRelative) return seconds;
  return Math.ceil(link.serverTime) + seconds;
}

/** Whole seconds, one at least: 0 would mean never. */
function secondsOf(ttl: number): number {
  return Math.min(Math.max(Math.ceil(ttl), 1), 0x7fff_ffff - 1);
}

function itemOf(link: Link, { code, value }: Reply, flags: string): Item | undefined {
  if (code === "EN") return undefined;
  if (code !== "VA" || !value) throw unexpected(code);
  const end = flags.indexOf(" ");
  const own = casIn(link, end < 0 ? flags : flags.slice(0, end));
  if (end < 0) return { value, cas: own, ttl: undefined, flags: undefined, won: false, claimed: false, stale: false };
  const more = flags.slice(end + 1).split(" ");
  const number = (letter: string): number | undefined => {
    const found = more.find((one) => one.startsWith(letter));
    return found === undefined ? undefined : Number(found.slice(1));
  };
  const has = (letter: string): boolean => more.includes(letter);
  return { value, cas: own, ttl: number("t"), flags: number("f"), won: has("W"), claimed: has("Z"), stale: has("X") };
}

/** The cas in a flag such as `c12`, with the connection's own number. Throws ProtocolError. */
function casIn(link: Link, flag: string): string {
  let isNumber = flag.length > 1 && flag.length <= 21 && flag[0] === "c";
  for (let i = 1; i < flag.length; i++) {
    const digit = flag.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) isNumber = false;
  }
  if (!isNumber) throw new ProtocolError("a reply without a cas");
  return link.prefix + flag.slice(1);
}

function storedOf(link: Link, { code }: Reply, flags: string, mode: keyof typeof modes): Stored {
  if (code === "HD") return { result: "stored", cas: casIn(link, flags) };
  if (code === "EX") return { result: "exists" };
  if (code === "NF") return { result: "missing" };
  if (code === "NS") return { result: mode === "add" ? "exists" : "missing" };
  throw unexpected(code);
}

async function failing(error: unknown): Promise<never> {
  throw error;
}

function askedBy({ vivify, recache, told }: GetOptions): string {
  const made = vivify === undefined ? "" : ` N${secondsOf(vivify)}`;
  const anew = recache === undefined ? "" : ` R${secondsOf(recache)}`;
  return `${told ? " t f" : ""}${made}${anew}`;
}

function deletedOf({ code }: Reply): Deleted {
  if (code === "HD") return "deleted";
  if (code === "EX") return "exists";
  if (code === "NF") return "missing";
  throw unexpected(code);
}

function countOf({ code, value }: Reply): bigint | undefined {
  const digits = value?.toString("latin1").trimEnd() ?? ""; // counting down leaves the length as it was
  if (code === "VA" && /^\d{1,20}$/.test(digits)) return BigInt(digits);
  if (code === "NF") return undefined;
  throw unexpected(code);
}

function doneOf(yes: string, no: string): Asking<boolean>["read"] {
  return ({ code }) => {
    if (code === yes) return true;
    if (code === no) return false;
    throw unexpected(code);
  };
}

const unexpected = (code: string): ProtocolError => new ProtocolError(`"${code}" is no answer to that`);

import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import { StoreError } from "../../store/index.ts";
import type { Limit } from "../../store/store.ts";
import { Connection, type CallError, type Listener, type Method } from "./connection.ts";
import type { Message } from "./messages.ts";
import type { ResolvedOptions } from "../options.ts";

const login: Method = { path: "Auth/Authenticate", asks: "Login", gets: "LoggedIn" };
/** Between two attempts, in ms. */
const pauseMs = 50;
/** So long before its deadline a call that could not be sent ends, in ms: so that its caller is told of it. */
const earlyMs = 100;
/** The shortest and the longest that one request may take, in ms, whatever its deadline. */
const leastMs = 250;
const mostMs = 60_000;
/** A member that sees no leader says so, and does not wait for one. */
const always = { hasleader: "true" };

interface Server {
  readonly url: string;
  connection: Connection | undefined;
  dialing: Promise<Connection> | undefined;
}

/** The members of a cluster, as they are reached: one serves, and where it fails another one does. */
export class Servers {
  readonly #options: ResolvedOptions;
  readonly #all: readonly Server[];
  /** Whose turn it is. Not the same one for all processes. */
  #turn = Math.floor(Math.random() * 1_000);
  #token: Promise<string> | undefined;
  #reached = false;
  #closed = false;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#all = options.urls.map((url): Server => ({ url, connection: undefined, dialing: undefined }));
  }

  get urls(): readonly string[] {
    return this.#options.urls;
  }

  /** What TLS is made with, its files read anew; undefined without. */
  tls(): ConnectionOptions | undefined {
    const { tls } = this.#options;
    return tls && { ...tls.options, ...read(tls.files) };
  }

  /**
   * What a server answers. It waits for a connection, and asks again, another server too, where nothing was done;
   * `repeats` says that it does no harm twice. Rejects with a StoreError.
   */
  async call(method: Method, message: Message, { deadline }: Limit, repeats = true): Promise<Message> {
    const half = (performance.now() + deadline) / 2;
    for (;;) {
      try {
        const connection = await this.#reach(deadline);
        const headers = await this.#headers(connection, deadline);
        if (performance.now() > deadline) throw new StoreError("it is too late to ask", { sent: false });
        // What does no harm twice need not wait to the end for a server that may have stopped.
        const patience = repeats ? Math.max(left(deadline) / 2, leastMs) : left(deadline);
        return await connection.call(method, message, headers, patience);
      } catch (error) {
        this.#failed(error);
        const { sent = true, code = 14, refused } = error as Partial<CallError>;
        // That it refuses is told long before the deadline, and not mistaken for a server that does not answer.
        const end = refused === true ? half : deadline - earlyMs;
        const isOver = this.#closed || !this.#reached || performance.now() + pauseMs > end;
        if (isOver || (sent && !repeats) || ![14, 16].includes(code)) throw error;
        await pause(pauseMs, undefined, { ref: false });
      }
    }
  }

  /** Messages that go on, from one server. Rejects with a StoreError. */
  async stream(method: Method, message: Message, { deadline }: Limit, listener: Listener): Promise<() => void> {
    const connection = await this.#reach(deadline);
    const headers = await this.#headers(connection, deadline);
    return connection.stream(method, message, headers, {
      message: (got) => listener.message(got),
      end: (error) => {
        this.#failed(error);
        listener.end(error);
      },
    });
  }

  /** What one server answers, not another one. */
  async ask(url: string, method: Method, { deadline }: Limit): Promise<Message> {
    const server = this.#all.find((one) => one.url === url) as Server;
    const connection = server.connection?.isOpen === true ? server.connection : await this.#dial(server);
    return connection.call(method, {}, await this.#headers(connection, deadline), left(deadline));
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#all) connection?.close();
  }

  /** A connection to the server whose turn it is, or to another one. */
  async #reach(deadline: number): Promise<Connection> {
    let why: unknown;
    for (;;) {
      if (this.#closed) throw new StoreError("it is closed", { sent: false });
      const ordered = this.#all.map((_, i, all) => all[(this.#turn + i) % all.length] as Server);
      const dials = ordered.filter(({ connection }) => connection?.isOpen !== true).map(async (one) => this.#dial(one));
      const open = ordered.find(({ connection }) => connection?.isOpen === true)?.connection;
      if (open) {
        for (const dial of dials) dial.catch(() => undefined); // asked for again when it is needed
        return open;
      }
      try {
        const late = pause(left(deadline - earlyMs), undefined, { ref: false });
        const first = await Promise.race([Promise.any(dials), late]);
        if (first) return first;
      } catch (error) {
        [why] = (error as AggregateError).errors as unknown[];
        // Where none was ever reached, waiting may be in vain: who asks is told why, and may ask again.
        if (!this.#reached) throw why;
        await pause(pauseMs, undefined, { ref: false });
      }
      if (performance.now() + earlyMs < deadline) continue;
      throw why instanceof StoreError ? why : new StoreError("no server could be reached in time", { sent: false });
    }
  }

  #dial(server: Server): Promise<Connection> {
    return (server.dialing ??= (async () => {
      try {
        const connection = await Connection.open(server.url, this.tls(), this.#options.connectTimeoutMs);
        if (this.#closed) connection.close();
        this.#reached = true;
        return (server.connection = connection);
      } finally {
        server.dialing = undefined;
      }
    })());
  }

  async #headers(connection: Connection, deadline: number): Promise<Record<string, string>> {
    const { username: name, password } = this.#options;
    if (name === undefined) return always;
    this.#token ??= connection
      .call(login, { name, password }, always, left(deadline))
      .then(({ token }) => token as string);
    try {
      return { ...always, token: await this.#token };
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  /** The next call goes to another server, or with another token. */
  #failed(error: unknown): void {
    const { code = 14 } = error as Partial<CallError>;
    if (code === 14) this.#turn++;
    else if (code === 16) this.#token = undefined;
  }
}

const left = (deadline: number): number => Math.max(0, Math.min(deadline - performance.now(), mostMs));

function read(files: Readonly<Record<string, string | undefined>>): Record<string, Buffer> {
  const given = Object.entries(files).filter((one): one is [string, string] => one[1] !== undefined);
  return Object.fromEntries(given.map(([name, file]) => [name, readFileSync(file)]));
}

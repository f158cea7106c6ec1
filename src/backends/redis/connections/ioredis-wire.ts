import type { Arg, Reply } from "../router.ts";
import { refuseClosed } from "./foreign.ts";
import type { MessageListener, SubscriptionKind, Wire } from "./wire.ts";

/** What is needed of a client of ioredis or iovalkey. */
export interface IoredisClient {
  readonly status: string;
  readonly options: IoredisOptions;
  readonly stream?: { ref?(): void; unref?(): void } | undefined;
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  duplicate(overrides: IoredisOptions): IoredisClient;
  callBuffer(command: string, args: readonly Arg[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  psubscribe(pattern: string): Promise<unknown>;
  punsubscribe(pattern: string): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
}

export interface IoredisOptions {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
  readonly password?: string | null | undefined;
  readonly sentinels?: readonly unknown[] | null | undefined;
  readonly sentinelPassword?: string | null | undefined;
  readonly keyPrefix?: string | Buffer | undefined;
  readonly maxRetriesPerRequest?: number | null | undefined;
  readonly reconnectOnError?: unknown;
  readonly stringNumbers?: boolean | undefined;
  readonly [other: string]: unknown;
}

/** What a duplicate of the application's client is told: it never reconnects, and nothing is queued or sent again. */
export function ownIoredisOptions(connectTimeout: number): IoredisOptions {
  return {
    lazyConnect: true,
    connectTimeout,
    retryStrategy: null,
    reconnectOnError: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    commandTimeout: undefined,
    socketTimeout: undefined,
    connectionName: undefined,
    readOnly: false,
    monitor: false,
    stringNumbers: false,
    protocol: 2,
    replyMapping: "legacy",
    himportFieldsets: undefined,
  };
}

/** Bulk strings come as buffers; so do simple strings, which this driver does not tell apart from them. */
function send(client: IoredisClient, args: readonly Arg[]): Promise<Reply> {
  const [name, ...rest] = args;
  return client.callBuffer(String(name), rest) as Promise<Reply>;
}

/** A client that was made for us alone. */
export class IoredisWire implements Wire {
  readonly foreign = false;
  readonly #client: IoredisClient;
  readonly #listeners = { channel: new Map<string, MessageListener>(), pattern: new Map<string, MessageListener>() };
  #closed = false;

  constructor(client: IoredisClient, lost: (why: unknown) => void) {
    this.#client = client;
    const end = (why: unknown): void => {
      if (!this.#closed) lost(why);
    };
    client.on("error", (error: unknown) => end(error));
    client.on("end", () => end(new Error("the connection has ended")));
    client.on("messageBuffer", (channel: Buffer, body: Buffer) => {
      this.#listeners.channel.get(channel.toString())?.(channel.toString(), body);
    });
    client.on("pmessageBuffer", (pattern: Buffer | string, channel: Buffer, body: Buffer) => {
      this.#listeners.pattern.get(pattern.toString())?.(channel.toString(), body);
    });
  }

  async open(): Promise<void> {
    await this.#client.connect();
    this.hold(false);
  }

  send(args: readonly Arg[]): Promise<Reply> {
    // In the driver's subscriber mode only names in lower case are known as allowed.
    return send(this.#client, args[0] === "PING" ? ["ping"] : args);
  }

  async subscribe(kind: SubscriptionKind, name: string, listener: MessageListener): Promise<void> {
    this.#listeners[kind].set(name, listener);
    await (kind === "channel" ? this.#client.subscribe(name) : this.#client.psubscribe(name));
  }

  async unsubscribe(kind: SubscriptionKind, name: string, listener: MessageListener): Promise<void> {
    if (this.#listeners[kind].get(name) !== listener) return;
    this.#listeners[kind].delete(name);
    await (kind === "channel" ? this.#client.unsubscribe(name) : this.#client.punsubscribe(name));
  }

  unsent(error: unknown): boolean {
    return neverWritten(error);
  }

  hold(held: boolean): void {
    if (held) this.#client.stream?.ref?.();
    else this.#client.stream?.unref?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.disconnect();
  }
}

/** The application's own client, for one time between two losses. */
export class SharedIoredisWire implements Wire {
  readonly foreign = true;
  readonly #client: IoredisClient;
  readonly #lost: (why: unknown) => void;
  readonly #undo: (() => void)[] = [];

  constructor(client: IoredisClient, lost: (why: unknown) => void) {
    this.#client = client;
    this.#lost = lost;
  }

  async open(): Promise<void> {
    const { status } = this.#client;
    if (status === "wait" || status === "end") refuseClosed("client");
    const lost = (): void => this.#lost(new Error("the client that was given has lost its connection"));
    for (const event of ["close", "end"]) this.#on(event, lost);
    if (status === "ready") return;
    await new Promise<void>((resolve) => this.#on("ready", () => resolve()));
  }

  send(args: readonly Arg[]): Promise<Reply> {
    if (this.#client.status !== "ready") return Promise.reject(new Error(NOT_READY));
    return send(this.#client, args);
  }

  async subscribe(): Promise<void> {
    throw new Error("an application's client is not subscribed with");
  }

  async unsubscribe(): Promise<void> {
    throw new Error("an application's client is not subscribed with");
  }

  unsent(error: unknown): boolean {
    return neverWritten(error);
  }

  hold(): void {
    // Whether it keeps the process alive is for the application to say.
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #on(event: string, listener: () => void): void {
    this.#client.on(event, listener);
    this.#undo.push(() => this.#client.off(event, listener));
  }
}

const NOT_READY = "the client that was given is not ready";

function neverWritten(error: unknown): boolean {
  return error instanceof Error && (error.message === NOT_READY || error.message.includes("enableOfflineQueue"));
}

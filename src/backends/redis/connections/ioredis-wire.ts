import type { Arg, Reply } from "../router.ts";
import { KEEP_ALIVE_MS } from "./node-redis.ts";
import type { MessageListener, SubscriptionKind, Wire } from "./wire.ts";

/** What is needed of a client of ioredis or iovalkey. */
export interface IoredisClient {
  readonly status: string;
  readonly options: IoredisOptions;
  readonly stream?: { ref?(): void; unref?(): void; destroy?(): void } | undefined;
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
  readonly [other: string]: unknown;
}

/**
 * What a duplicate of the application's client is told, whatever that was told itself: it never reconnects, nothing is
 * queued or sent again, and replies have the types that we read.
 */
export function ownIoredisOptions(connectTimeout: number): IoredisOptions {
  return {
    lazyConnect: true,
    connectTimeout,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    retryStrategy: null,
    sentinelRetryStrategy: null,
    role: "master",
    failoverDetector: false,
    reconnectOnError: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    commandTimeout: undefined,
    blockingTimeout: undefined,
    socketTimeout: undefined,
    scripts: undefined,
    showFriendlyErrorStack: false,
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
    try {
      await (kind === "channel" ? this.#client.subscribe(name) : this.#client.psubscribe(name));
    } catch (error) {
      if (this.#listeners[kind].get(name) === listener) this.#listeners[kind].delete(name);
      throw error;
    }
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
    // Else the driver waits for a server that is silent to end its side, with what is pending.
    this.#client.stream?.destroy?.();
  }
}

function neverWritten(error: unknown): boolean {
  return error instanceof Error && error.message.includes("enableOfflineQueue");
}

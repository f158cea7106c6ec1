import type { Arg, Reply } from "../router.ts";
import {
  asReply,
  TYPES,
  type BufferListener,
  type CommandOptions,
  type NodeRedisClient,
  type NodeRedisOptions,
} from "./driver.ts";
import { MOST_PENDING } from "./live.ts";
import type { Endpoint, MessageListener, SubscriptionKind, Wire } from "./wire.ts";

/** So long nothing may come before the system asks whether the server is still there. */
export const KEEP_ALIVE_MS = 5_000;

const PLAIN: CommandOptions = { timeout: undefined, typeMapping: TYPES };

/**
 * What every client that we make is told. It never reconnects, so that nothing is sent again and no timer of the driver
 * keeps the process alive; RESP 2 needs no command that an old server or a restricted user does not have.
 */
export function ownClientOptions(
  endpoint: Endpoint,
  tls: object | undefined,
  connectTimeout: number,
): NodeRedisOptions {
  return {
    RESP: 2,
    name: undefined,
    socket: {
      ...endpoint,
      ...(tls && { ...tls, tls: true }),
      connectTimeout,
      reconnectStrategy: false,
      // A server that vanished while nothing was under way is found out by the system, not by the next caller.
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    },
    commandOptions: PLAIN,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 2 * MOST_PENDING,
    maintNotifications: "disabled",
    clientInfoTag: "holdfast",
  };
}

/** A client that was made for us alone. */
export class NodeRedisWire implements Wire {
  readonly #client: NodeRedisClient;
  readonly #listeners = new Map<MessageListener, BufferListener>();
  #closed = false;

  constructor(client: NodeRedisClient, lost: (why: unknown) => void) {
    this.#client = client;
    // After an error the driver may be out of step with the server, so each one ends the connection. The listener
    // stays: an event "error" that nobody hears ends the process.
    client.on("error", (error: unknown) => {
      if (!this.#closed) lost(error);
    });
    client.on("end", () => {
      if (!this.#closed) lost(new Error("the connection has ended"));
    });
    // Before it is connected the driver has nothing that it could end.
    client.on("connect", () => {
      if (this.#closed) client.destroy();
    });
    client.unref();
  }

  async open(): Promise<void> {
    await this.#client.connect();
  }

  send(args: readonly Arg[]): Promise<Reply> {
    return asReply(this.#client.sendCommand(args));
  }

  async subscribe(kind: SubscriptionKind, name: string, listener: MessageListener): Promise<void> {
    const own = forwarding(listener);
    this.#listeners.set(listener, own);
    try {
      await (kind === "channel" ? this.#client.subscribe(name, own, true) : this.#client.pSubscribe(name, own, true));
    } catch (error) {
      this.#listeners.delete(listener);
      throw error;
    }
  }

  async unsubscribe(kind: SubscriptionKind, name: string, listener: MessageListener): Promise<void> {
    const own = this.#listeners.get(listener);
    if (!own) return;
    this.#listeners.delete(listener);
    await (kind === "channel" ? this.#client.unsubscribe(name, own, true) : this.#client.pUnsubscribe(name, own, true));
  }

  unsent(error: unknown): boolean {
    return neverWritten(error);
  }

  hold(held: boolean): void {
    if (held) this.#client.ref();
    else this.#client.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.destroy();
  }
}

/** What the driver rejects with before it writes; all else may have been written. */
function neverWritten(error: unknown): boolean {
  return (
    error instanceof Error && /^(?:The client is closed|The client is offline|The queue is full)$/.test(error.message)
  );
}

function forwarding(listener: MessageListener): BufferListener {
  return (body, channel) => listener(channel.toString(), body);
}

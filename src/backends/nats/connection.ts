import { readFile } from "node:fs/promises";
import { Bag, type Placed } from "../../base/bag.ts";
import { UnavailableError } from "../../base/errors.ts";
import { systemTime as time } from "../../base/time.ts";
import { Awaited } from "../common/awaited.ts";
import { StoreError } from "../store/index.ts";
import { api, loadNats, type ApiError, type Driver, type Message, type NatsConnection } from "./driver.ts";
import { BACKEND, type ResolvedOptions } from "./options.ts";

/** How often a connection is asked whether it lives, in ms; after two pings without an answer it is made anew. */
const pingMs = 5_000;

/** A reply that takes longer will not come, in ms. */
const longestMs = 60_000;

/** How many requests wait for a connection at most. */
const mostWaiting = 10_000;
/** So long before its deadline a request that could not be sent ends, in ms: so that its caller is told of it. */
const earlyMs = 100;

/** Errors of the driver's that say that nothing was done. */
const unsent = new Set(["NoResponders", "ClosedConnectionError", "DrainingConnectionError", "InvalidArgumentError"]);

/** One connection: ours, which the driver makes anew after a loss, or the application's. */
export class Connection {
  readonly #options: ResolvedOptions;
  readonly #onDoubt: () => void;
  /** Requests under way: the driver would let them wait for a reply that was lost with the connection. */
  readonly #pending = new Bag<Pending>();
  readonly #waiting = new Awaited(BACKEND, time, mostWaiting);
  #driver: Driver | undefined;
  #nats: NatsConnection | undefined;
  #opening: Promise<NatsConnection> | undefined;
  #status: ReturnType<NatsConnection["status"]> | undefined;
  #isUp = false;

  /** `onDoubt` is called when there is a connection again, or nobody serves the bucket: something may be lost. */
  constructor(options: ResolvedOptions, onDoubt: () => void) {
    this.#options = options;
    this.#onDoubt = onDoubt;
  }

  /** A connection that was open just now; callers share one. Rejects with a HoldfastError. */
  async open(): Promise<NatsConnection> {
    this.#opening ??= this.#open();
    try {
      return await this.#opening;
    } finally {
      this.#opening = undefined;
    }
  }

  /** The connection, where it is up. Throws StoreError. */
  get nats(): NatsConnection {
    if (this.#nats && this.#isUp) return this.#nats;
    throw new StoreError("there is no connection to NATS", { sent: false });
  }

  /** A subject of this connection's own. */
  inbox(): string {
    return (this.#driver as Driver).createInbox(this.nats.options?.inboxPrefix);
  }

  /** Asks the server's API. An error that it answers with is an answer. Rejects with StoreError. */
  async ask<T>(what: string, asked: object, deadline: number): Promise<T & { readonly error?: ApiError }> {
    const message = await this.request(api + what, JSON.stringify(asked), deadline);
    return JSON.parse(message.string()) as T & { readonly error?: ApiError };
  }

  /**
   * Waits for a connection where it was lost. Sends then or not at all: the driver would keep it for later. Rejects
   * with StoreError.
   */
  async request(
    subject: string,
    payload: Uint8Array | string,
    deadline: number,
    values?: Readonly<Record<string, string>>,
  ): Promise<Message> {
    const nats = this.#nats && this.#isUp ? this.#nats : await this.#reconnected(deadline);
    const headers = values && (this.#driver as Driver).headers();
    for (const [name, value] of Object.entries(values ?? {})) headers?.set(name, value);
    const timeout = Math.min(Math.ceil(deadline - performance.now()), longestMs);
    if (timeout < 1) throw new StoreError("it was too late to ask", { sent: false });
    return new Promise((resolve, reject) => {
      const pending: Pending = { reject };
      this.#pending.add(pending);
      nats.request(subject, payload, { timeout, headers }).then(
        (message) => {
          this.#pending.delete(pending);
          resolve(message);
        },
        (error: Error) => {
          this.#pending.delete(pending);
          reject(this.#failureOf(error));
        },
      );
    });
  }

  async #reconnected(deadline: number): Promise<NatsConnection> {
    const closed = (): UnavailableError => new UnavailableError("the connection is closed", { backend: BACKEND });
    try {
      await this.#waiting.wait(deadline - earlyMs, {
        done: () => this.#isUp,
        failed: () => (this.#nats?.isClosed() === false ? undefined : closed()),
        problem: () => undefined,
      });
    } catch (error) {
      throw new StoreError((error as Error).message, { sent: false, cause: error });
    }
    return this.nats;
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined); // whoever asked for it is told
    this.#status?.stop?.();
    if (!this.#options.connection) await this.#nats?.close();
  }

  async #open(): Promise<NatsConnection> {
    const driver = (this.#driver ??= await loadNats(BACKEND));
    const { connection } = this.#options;
    if (connection?.isClosed()) throw new UnavailableError("the connection is closed", { backend: BACKEND });
    if (!this.#nats || this.#nats.isClosed()) {
      this.#nats = connection ?? (await this.#connect(driver));
      this.#isUp = true;
      void this.#follow(this.#nats);
    }
    return this.#nats;
  }

  async #connect(driver: Driver): Promise<NatsConnection> {
    const { target, tls, connectTimeout: timeout } = this.#options;
    const { username, password } = target?.credentials ?? {};
    const creds = target?.params.get("creds");
    try {
      const nats = await driver.connect({
        servers: target?.servers,
        timeout,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 100,
        ignoreAuthErrorAbort: true,
        pingInterval: pingMs,
        noAsyncTraces: true,
        name: "holdfast",
        ...(tls && { tls }),
        ...(password === undefined ? { token: username } : { user: username, pass: password }),
        ...(creds !== undefined && { authenticator: driver.credsAuthenticator(await readFile(creds)) }),
      });
      letGo(nats);
      return nats;
    } catch (error) {
      throw new UnavailableError(`NATS cannot be reached: ${(error as Error).message}`, {
        backend: BACKEND,
        cause: error,
      });
    }
  }

  #failureOf(error: Error): StoreError {
    const cause = (error.cause ?? error) as Error & { operation?: unknown };
    const names = [error.name, cause.name];
    const away = names.includes("NoResponders");
    if (away) this.#onDoubt();
    const message = away ? "nobody serves the bucket: JetStream is not enabled, or not up yet" : error.message;
    // Of a right that is missing the driver tells to do what.
    const sent = !names.some((name) => unsent.has(name)) && cause.operation !== "publish";
    return new StoreError(message, { sent, refused: away, cause: error });
  }

  /** Listens to what becomes of a connection, until it is closed. */
  async #follow(nats: NatsConnection): Promise<void> {
    this.#status = nats.status();
    for await (const { type } of this.#status) {
      if (!this.#options.connection) letGo(nats);
      if (type === "disconnect") this.#lost();
      else if (type === "reconnect") {
        this.#isUp = true;
        this.#waiting.look();
        this.#onDoubt();
      }
    }
    this.#lost(); // it was closed
  }

  #lost(): void {
    this.#isUp = false;
    this.#waiting.look(); // a connection that was closed does not come back
    const error = new StoreError("the connection to NATS was lost", { sent: true });
    for (const pending of this.#pending.toArray()) {
      this.#pending.delete(pending);
      pending.reject(error);
    }
  }
}

/** A request under way. */
interface Pending extends Placed {
  readonly reject: (error: Error) => void;
}

/** Has an idle connection not keep the process alive. The driver has no way to say so: this is of its inside. */
function letGo(nats: NatsConnection): void {
  type Unref = { unref?(): void } | undefined;
  const { protocol } = nats as { protocol?: { transport?: { socket?: Unref }; heartbeats?: { timer?: Unref } } };
  protocol?.transport?.socket?.unref?.();
  protocol?.heartbeats?.timer?.unref?.();
}

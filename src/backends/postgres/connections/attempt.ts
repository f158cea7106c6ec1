import { deferred } from "../../../base/async.ts";
import type { Time } from "../../../base/time.ts";
import type { Attempt } from "../../common/reconnecting.ts";
import type { PgClient, PgClientType, PgConfig } from "./driver.ts";
import type { Wire } from "./wire.ts";

/** Where to connect, and how. */
export interface Target {
  /** As messages show it. */
  readonly where: string;
  /** What the driver's client takes. Rejects with InvalidArgumentError. */
  config(): Promise<PgConfig>;
}

/** How to connect. */
export interface DialOptions {
  readonly time: Time;
  /** The driver's client. Rejects with a HoldfastError. */
  client(): Promise<PgClientType>;
  /** In the order in which they are tried. */
  readonly targets: readonly Target[];
  /** A server that takes no writes is passed over. */
  readonly readWrite: boolean;
  /** For each target, in ms. */
  readonly connectTimeout: number;
}

/** What becomes of a client that is connected. */
export interface Connected {
  /** Makes the connection of it. */
  alive(client: PgClient): Wire;
  /** Called with each new connection before anybody uses it. When it rejects, the attempt has failed. */
  prepare?(wire: Wire, deadline: number): Promise<void>;
}

/** One attempt to connect: to the first target that will do. Whatever it opened is closed when it fails. */
export class DialAttempt implements Attempt<Wire> {
  readonly #options: DialOptions;
  readonly #connected: Connected;
  readonly #abandoned = deferred<never>();
  #over = false;
  #where = "the server";

  constructor(options: DialOptions, connected: Connected) {
    this.#options = options;
    this.#connected = connected;
    // Nobody may be waiting for it: it is told by a rejection of `establish`.
    this.#abandoned.promise.catch(() => undefined);
  }

  /** What it tries to reach. */
  get where(): string {
    return this.#where;
  }

  abandon(why: Error): void {
    this.#over = true;
    this.#abandoned.reject(why);
  }

  /** Rejects with the driver's error of the last target, or a HoldfastError. */
  async establish(): Promise<Wire> {
    const Client = await this.#options.client();
    let failure: unknown = new Error("abandoned");
    for (const target of this.#options.targets) {
      if (this.#over) break;
      this.#where = target.where;
      try {
        return await this.#reach(new Client(await target.config()));
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async #reach(client: PgClient): Promise<Wire> {
    const { time, connectTimeout } = this.#options;
    const failed = deferred<never>();
    // An error that nobody listens to ends the process.
    client.on("error", failed.reject);
    const late = (): void => failed.reject(new Error(`no answer within ${connectTimeout} ms`));
    const timer = time.after(connectTimeout, late);
    try {
      return await Promise.race([this.#abandoned.promise, failed.promise, this.#connect(client)]);
    } catch (error) {
      client.connection.stream.destroy();
      throw error;
    } finally {
      timer.clear();
    }
  }

  async #connect(client: PgClient): Promise<Wire> {
    const { time, connectTimeout, readWrite } = this.#options;
    const connecting = client.connect();
    client.unref();
    await connecting;
    // TLS has put another socket in the place of the first.
    client.unref();
    const wire = this.#connected.alive(client);
    const deadline = time.monotonic() + connectTimeout;
    if (readWrite) await requireWritable(wire, deadline);
    await this.#connected.prepare?.(wire, deadline);
    return wire;
  }
}

async function requireWritable(wire: Wire, deadline: number): Promise<void> {
  const [answer] = await wire.run([{ text: "SHOW transaction_read_only" }], deadline);
  if (answer?.ok !== true) throw answer?.error;
  if (answer.reply.rows[0]?.[0] !== "off") throw new Error("it takes no writes");
}

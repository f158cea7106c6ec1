import { deferred } from "../../../base/async.ts";
import type { Time } from "../../../base/time.ts";
import type { Attempt } from "../../common/reconnecting.ts";
import type { PgClient, PgClientType, PgConfig } from "./driver.ts";
import type { Wire } from "./wire.ts";

/** Where to connect, and how. */
export interface Target {
  /** As messages show it. */
  readonly where: string;
  readonly config: PgConfig;
}

export interface DialOptions {
  readonly time: Time;
  /** Loads the driver, where it has to be loaded. */
  client(): Promise<PgClientType>;
  /** In the order in which they are tried. */
  readonly targets: readonly Target[];
  /** A server that takes no writes is passed over. */
  readonly readWrite: boolean;
  /** For each target, in ms. */
  readonly connectTimeout: number;
}

/** One attempt to connect: to the first target that will do. Whatever it opened is closed when it fails. */
export class DialAttempt implements Attempt<Wire> {
  readonly #options: DialOptions;
  readonly #alive: (client: PgClient) => Wire;
  readonly #abandoned = deferred<never>();
  #over = false;
  #where = "the server";

  /** `alive` makes the connection of a client that is connected. */
  constructor(options: DialOptions, alive: (client: PgClient) => Wire) {
    this.#options = options;
    this.#alive = alive;
    // Nobody may be waiting for it.
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
    let failure: unknown;
    for (const target of this.#options.targets) {
      if (this.#over) break;
      this.#where = target.where;
      try {
        return await this.#reach(new Client(target.config));
      } catch (error) {
        failure = error;
      }
    }
    throw this.#over ? new Error("abandoned") : failure;
  }

  async #reach(client: PgClient): Promise<Wire> {
    const { time, connectTimeout } = this.#options;
    const late = deferred<never>();
    // An error that nobody listens to ends the process. What it tells, `connect` tells too.
    client.on("error", late.reject);
    const timer = time.after(connectTimeout, () => late.reject(new Error(`no answer within ${connectTimeout} ms`)));
    try {
      return await Promise.race([this.#abandoned.promise, late.promise, this.#connect(client)]);
    } catch (error) {
      client.connection.stream.destroy();
      throw error;
    } finally {
      timer.clear();
    }
  }

  async #connect(client: PgClient): Promise<Wire> {
    const connected = client.connect();
    client.unref();
    await connected;
    // TLS has put another socket in the place of the first.
    client.unref();
    const wire = this.#alive(client);
    if (this.#options.readWrite) await requireWritable(wire, this.#options);
    return wire;
  }
}

async function requireWritable(wire: Wire, { time, connectTimeout }: DialOptions): Promise<void> {
  const deadline = time.monotonic() + connectTimeout;
  const [answer] = await wire.run([{ text: "SHOW transaction_read_only" }], deadline);
  if (answer?.ok !== true) throw answer?.error;
  if (answer.reply.rows[0]?.[0] !== "off") throw new Error("it takes no writes");
}

import { deferred } from "../../../base/async.ts";
import type { Time } from "../../../base/time.ts";
import type { Attempt } from "../../common/reconnecting.ts";
import type { DriverConnection, MySqlDriver, OwnConnection } from "./driver.ts";
import { isServerReply } from "./errors.ts";
import { introduction } from "./trips.ts";
import type { Wire } from "./wire.ts";

/** Where to connect, and how. */
export interface Target {
  /** As messages show it. */
  readonly where: string;
  /** What the driver takes. */
  readonly config: object;
}

export interface DialOptions {
  readonly time: Time;
  /** Loads the driver, where it has to be loaded. */
  driver(): Promise<MySqlDriver>;
  readonly target: Target;
  /** In ms. */
  readonly connectTimeout: number;
}

/** One attempt to connect. Whatever it opened is closed when it fails. */
export class DialAttempt implements Attempt<Wire> {
  readonly #options: DialOptions;
  readonly #alive: (connection: OwnConnection) => Wire;
  readonly #abandoned = deferred<never>();

  /** `alive` makes the connection of one that is open. */
  constructor(options: DialOptions, alive: (connection: OwnConnection) => Wire) {
    this.#options = options;
    this.#alive = alive;
    // Nobody may be waiting for it.
    this.#abandoned.promise.catch(() => undefined);
  }

  /** What it tries to reach. */
  get where(): string {
    return this.#options.target.where;
  }

  abandon(why: Error): void {
    this.#abandoned.reject(why);
  }

  /** Rejects with the driver's error, or a HoldfastError. */
  async establish(): Promise<Wire> {
    const { time, connectTimeout, target } = this.#options;
    const driver = await this.#options.driver();
    const late = deferred<never>();
    const timer = time.after(connectTimeout, () => late.reject(new Error(`no answer within ${connectTimeout} ms`)));
    const connection = driver.createConnection(target.config) as OwnConnection;
    // An error that nobody listens to ends the process.
    connection.on("error", late.reject);
    connection.stream.unref();
    try {
      return await Promise.race([this.#abandoned.promise, late.promise, this.#connect(connection)]);
    } catch (error) {
      cut(connection);
      throw error;
    } finally {
      timer.clear();
    }
  }

  async #connect(connection: OwnConnection): Promise<Wire> {
    await new Promise<void>((resolve, reject) => {
      connection.connect((error) => (error ? reject(error) : resolve()));
    });
    // TLS has put another socket in the place of the first.
    connection.stream.unref();
    const wire = this.#alive(connection);
    const { time, connectTimeout } = this.#options;
    const answer = await wire.run(introduction, time.monotonic() + connectTimeout);
    if (!answer.ok) throw isServerReply(answer.error) ? answer.error : new Error("the connection was lost at once");
    return wire;
  }
}

/** Ends a connection without another word: its server may not be there any more. */
export function cut(connection: DriverConnection): void {
  connection.destroy();
  connection.stream.destroy();
}

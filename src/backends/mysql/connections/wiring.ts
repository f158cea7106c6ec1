import { UnavailableError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import { Alarm } from "../../common/alarm.ts";
import { PendingCallers } from "../../common/pending.ts";
import type { Failure } from "../../common/reconnecting.ts";
import { OwnLane, type Hurrying, type Lane } from "../../sql/lane.ts";
import { OpenConnections } from "../../sql/open-connections.ts";
import { PoolLane } from "../../sql/pool-lane.ts";
import { cut, DialAttempt } from "./attempt.ts";
import {
  isPoolEnd,
  isTogether,
  loadMySql,
  type DriverConnection,
  type DriverPool,
  type OwnConnection,
  type PooledConnection,
} from "./driver.ts";
import { attemptFailure, BACKEND } from "./errors.ts";
import type { ResolvedConnectionOptions } from "./options.ts";
import { Wire, type Run, type WireOptions } from "./wire.ts";

/** Room in a packet for what is not the statement. */
const packetHeader = 1_024;

const poolEnded: Failure = {
  error: new UnavailableError("the pool was ended", { backend: BACKEND }),
  final: true,
};

export interface WiringContext {
  readonly time: Time;
  /** The largest packet that the server takes. */
  mostBytes(): number;
}

/** Makes the connections of one client, which share what is here. */
export class Wiring {
  readonly #options: ResolvedConnectionOptions;
  readonly #context: WiringContext;
  readonly #alarm: Alarm<Run>;
  readonly #pending: PendingCallers;
  readonly #lanes = new Set<Hurrying>();
  /** Connections of our own that are open. */
  readonly #open: OpenConnections<OwnConnection>;

  constructor(options: ResolvedConnectionOptions, context: WiringContext) {
    this.#options = options;
    this.#context = context;
    this.#alarm = new Alarm(context.time, (run) => run.wire.overdue(run));
    this.#open = new OpenConnections(context.time);
    this.#pending = new PendingCallers(BACKEND, options.maxWaiting);
  }

  /** `most` connections of our own. */
  lane(most: number): Lane<Wire> {
    const { time } = this.#context;
    const dial = { ...this.#options, time, driver: loadMySql };
    const alive = (connection: OwnConnection): Wire => this.#own(connection, (wire, why) => lane.lost(wire, why));
    const lane: OwnLane<Wire, DialAttempt> = new OwnLane({
      backend: BACKEND,
      time,
      most,
      depth: 1,
      pending: this.#pending,
      siblings: this.#lanes,
      attempt: () => new DialAttempt(dial, alive),
      meaning: (error, attempt) => attemptFailure(error, attempt?.where ?? "the server"),
    });
    return lane;
  }

  /** Connections of the application's pool. */
  poolLane(pool: DriverPool): Lane<Wire> {
    const { maxConnections: most } = this.#options;
    return new PoolLane({
      backend: BACKEND,
      time: this.#context.time,
      most,
      pending: this.#pending,
      ask: async () =>
        new Promise<PooledConnection>((resolve, reject) => {
          pool.getConnection((error, connection) => {
            if (connection) resolve(connection);
            else reject(error ?? new Error("the pool gave no connection"));
          });
        }),
      meaning: (error) => (isPoolEnd(error) ? poolEnded : attemptFailure(error, "the server of the pool")),
      alive: (connection: PooledConnection) =>
        this.#wire(connection, {
          own: false,
          end: () => cut(connection),
          // What its connections may be sent at once is the application's to say.
          mostTogether: () => (isTogether(connection) ? this.#mostTogether : 0),
          lost: () => undefined,
        }),
      // One that was cut has left the pool.
      giveBack: (connection, isOfUse) => (isOfUse ? connection.release() : undefined),
    });
  }

  /** Resolves when all connections that were closed have ended, and soon in any case. */
  async farewell(): Promise<void> {
    for (const connection of await this.#open.farewell()) cut(connection);
  }

  #own(connection: OwnConnection, lost: WireOptions["lost"]): Wire {
    this.#open.add(connection);
    // Of the socket, for the driver does not tell when it has ended what it was told to end.
    connection.stream.once("close", () => this.#open.delete(connection));
    const end = (kind: boolean): void => {
      if (kind) connection.end();
      else cut(connection);
    };
    return this.#wire(connection, { own: true, end, mostTogether: () => this.#mostTogether, lost });
  }

  get #mostTogether(): number {
    return this.#context.mostBytes() - packetHeader;
  }

  #wire(connection: DriverConnection, options: Omit<WireOptions, "time" | "alarm">): Wire {
    return new Wire(connection, { ...options, time: this.#context.time, alarm: this.#alarm });
  }
}

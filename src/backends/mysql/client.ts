import type { UnavailableError } from "../../base/errors.ts";
import { KeepAlive } from "../../base/keep-alive.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Lane as LaneName, Limit, Reply, SqlClient, SqlTransaction, Statement } from "../sql/client.ts";
import type { Lane } from "../sql/lane.ts";
import { isInTransaction, isServerReply, lostError, replyError } from "./connections/errors.ts";
import {
  resolveConnectionOptions,
  type MySqlConnectionOptions,
  type ResolvedConnectionOptions,
} from "./connections/options.ts";
import { reading, rollback, Transaction } from "./connections/transaction.ts";
import type { Answer, Wire } from "./connections/wire.ts";
import { Wiring } from "./connections/wiring.ts";
import { ask, serverOf, unknownServer, type Server } from "./server.ts";

/** How many connections there are at most for statements that only read. */
const mostReading = 2;
/** How often a statement that only reads is sent, at most. */
const mostReads = 3;

/** The way to a MySQL or MariaDB. */
export interface MySqlClient extends SqlClient {
  /** The database of its connections; undefined where a pool names none. */
  readonly database: string | undefined;
  /** What is known of the server, once it is open. */
  readonly server: Server;
}

/** The way to the server that `options` name. No I/O. Throws InvalidArgumentError. */
export function mysqlClient(options: MySqlConnectionOptions, time: Time = systemTime): MySqlClient {
  return new LanesClient(resolveConnectionOptions(options), time);
}

/**
 * Connections of three lanes, each for one caller at a time: for statements that only read, for transactions, and for
 * the renewals of leases, which nothing else keeps busy. The first two are the pool of the application, where it has
 * given one.
 */
class LanesClient implements MySqlClient {
  server: Server = unknownServer;
  readonly database: string | undefined;
  readonly #time: Time;
  readonly #keepAlive: KeepAlive;
  readonly #wiring: Wiring;
  /** Whether the connections for calls have settings of ours. */
  readonly #own: boolean;
  readonly #reads: Lane<Wire>;
  readonly #lanes: Readonly<Record<LaneName, Lane<Wire>>>;

  readonly maxWaiting: number;

  constructor(options: ResolvedConnectionOptions, time: Time) {
    this.maxWaiting = options.maxWaiting;
    this.database = options.database;
    this.#time = time;
    this.#keepAlive = new KeepAlive(time);
    this.#wiring = new Wiring(options, { time, mostBytes: () => this.server.mostBytes });
    const { pool, maxConnections } = options;
    this.#own = pool === undefined;
    const calls = pool ? this.#wiring.poolLane(pool) : this.#wiring.lane(maxConnections);
    this.#reads = pool ? calls : this.#wiring.lane(mostReading);
    this.#lanes = { calls, renewals: this.#wiring.lane(mostReading) };
  }

  get problem(): UnavailableError | undefined {
    return this.#lanes.calls.problem ?? this.#reads.problem;
  }

  async open(limit: Limit): Promise<void> {
    this.server = serverOf(await this.read(ask, limit));
  }

  async read({ text }: Statement, { deadline }: Limit): Promise<Reply> {
    this.#keepAlive.enter();
    try {
      for (let tries = 1; ; tries++) {
        const { link, giveBack } = await this.#reads.take(deadline);
        const answer = await this.#ask(link, text, deadline);
        giveBack();
        if (answer.ok) return answer.replies[this.#own ? 0 : 1] as Reply;
        const { error, answered } = answer;
        // One that has changed nothing may be sent again.
        const again = !isServerReply(error) || !link.alive;
        if (again && tries < mostReads && this.#time.monotonic() < deadline) continue;
        throw answered && isServerReply(error) ? replyError(error) : lostError(error);
      }
    } finally {
      this.#keepAlive.leave();
    }
  }

  async write(make: () => Statement | undefined, limit: Limit): Promise<Reply | undefined> {
    const transaction = await this.#transaction(limit, "calls");
    try {
      const statement = make();
      return statement && (await transaction.only(statement));
    } finally {
      transaction.rollback();
    }
  }

  async transaction(limit: Limit, lane: LaneName): Promise<SqlTransaction> {
    return this.#transaction(limit, lane);
  }

  async close(): Promise<void> {
    this.#reads.close();
    for (const lane of Object.values(this.#lanes)) lane.close();
    await this.#wiring.farewell();
  }

  async #ask(link: Wire, text: string, deadline: number): Promise<Answer> {
    if (this.#own) return link.run([text], deadline);
    const answer = await link.run(reading(text), deadline);
    if (answer.ok || !isServerReply(answer.error)) return answer;
    // It may have been left in a transaction, before or by what has failed.
    const undone = await link.run([rollback], deadline);
    return isInTransaction(answer.error) && undone.ok ? link.run(reading(text), deadline) : answer;
  }

  async #transaction({ deadline }: Limit, lane: LaneName): Promise<Transaction> {
    this.#keepAlive.enter();
    try {
      const take = (): ReturnType<Lane<Wire>["take"]> => this.#lanes[lane].take(deadline);
      const ended = (): void => this.#keepAlive.leave();
      return new Transaction(await take(), { time: this.#time, deadline, take, ended });
    } catch (error) {
      this.#keepAlive.leave();
      throw error;
    }
  }
}

import type { UnavailableError } from "../../base/errors.ts";
import { KeepAlive } from "../../base/keep-alive.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Lane as LaneName, Limit, Reply, SqlClient, SqlTransaction, Statement } from "../sql/client.ts";
import type { Lane } from "../sql/lane.ts";
import type { Answer } from "./connections/answers.ts";
import { isServerReply, isUnprepared, lostError, replyError } from "./connections/errors.ts";
import { isOwnNumber, ownNumber, type Listener, type Listening } from "./connections/listener.ts";
import {
  resolveConnectionOptions,
  type PostgresConnectionOptions,
  type ResolvedConnectionOptions,
} from "./connections/options.ts";
import { planning, Transaction } from "./connections/transaction.ts";
import type { Wire } from "./connections/wire.ts";
import { Wiring } from "./connections/wiring.ts";

export type { Listener, Listening } from "./connections/listener.ts";
export type { PostgresConnectionOptions } from "./connections/options.ts";

/** How many statements that only read are under way at once, on the one connection that they share. */
const readsAtOnce = 256;
/** How often a statement that only reads is sent, at most. */
const mostReads = 3;

/** The way to a Postgres. */
export interface PostgresClient extends SqlClient {
  /** Channels on a connection of their own, from the first on that somebody listens to. It ends with the client. */
  listener(listening: Listening): Listener;
  /**
   * Whether a pooler hides the server from those who listen, and nobody has said where to listen instead. Rejects as
   * `read` does.
   */
  isDeaf(limit: Limit): Promise<boolean>;
}

/** The way to the server that `options` name. No I/O. Throws InvalidArgumentError. */
export function postgresClient(options: PostgresConnectionOptions, time: Time = systemTime): PostgresClient {
  return new LanesClient(resolveConnectionOptions(options), time);
}

/**
 * Connections of three lanes: one that all statements share which only read, a few for transactions, each for one at a
 * time, and two for the renewals of leases, which nothing else keeps busy. The first two are the pool of the
 * application, where it has given one.
 */
class LanesClient implements PostgresClient {
  readonly #options: ResolvedConnectionOptions;
  readonly #time: Time;
  readonly #keepAlive: KeepAlive;
  readonly #wiring: Wiring;
  readonly #reads: Lane<Wire>;
  readonly #lanes: Readonly<Record<LaneName, Lane<Wire>>>;
  readonly #listeners = new Set<Listener>();

  readonly maxWaiting: number;

  constructor(options: ResolvedConnectionOptions, time: Time) {
    this.maxWaiting = options.maxWaiting;
    this.#options = options;
    this.#time = time;
    this.#keepAlive = new KeepAlive(time);
    this.#wiring = new Wiring(options, time);
    const { pool, maxConnections } = options;
    const calls = pool ? this.#wiring.poolLane(pool) : this.#wiring.lane(maxConnections, 1);
    this.#reads = pool ? calls : this.#wiring.lane(1, readsAtOnce);
    this.#lanes = { calls, renewals: this.#wiring.lane(2, 1) };
  }

  get problem(): UnavailableError | undefined {
    return this.#lanes.calls.problem ?? this.#reads.problem;
  }

  async open(limit: Limit): Promise<void> {
    await this.read({ text: "SELECT 1", values: [] }, limit);
  }

  async read(statement: Statement, { deadline }: Limit): Promise<Reply> {
    const { hide } = this.#options;
    this.#keepAlive.enter();
    try {
      for (let tries = 1; ; tries++) {
        const { link, giveBack } = await this.#reads.take(deadline);
        const isPlanned = link.isPlanned(statement.text);
        const answers = await link.run(isPlanned ? [statement] : planning(statement), deadline);
        giveBack();
        const answer = (answers.find(({ ok }) => !ok) ?? answers[isPlanned ? 0 : 1]) as Answer;
        if (answer.ok) return answer.reply;
        const { error } = answer;
        // One that has changed nothing may be sent again.
        const again = !isServerReply(error) || isUnprepared(error) || !link.alive;
        if (again && tries < mostReads && this.#time.monotonic() < deadline) continue;
        throw answer.answered && isServerReply(error) ? replyError(error, hide) : lostError(error, hide);
      }
    } finally {
      this.#keepAlive.leave();
    }
  }

  async write(make: () => Statement | undefined, limit: Limit): Promise<Reply | undefined> {
    const transaction = await this.transaction(limit, "calls");
    try {
      const statement = make();
      if (!statement) return undefined;
      const [reply] = await transaction.commit([statement]);
      return reply;
    } finally {
      transaction.rollback();
    }
  }

  async transaction({ deadline }: Limit, lane: LaneName): Promise<SqlTransaction> {
    this.#keepAlive.enter();
    try {
      const take = (): ReturnType<Lane<Wire>["take"]> => this.#lanes[lane].take(deadline);
      const ended = (): void => this.#keepAlive.leave();
      return new Transaction(await take(), { time: this.#time, hide: this.#options.hide, deadline, take, ended });
    } catch (error) {
      this.#keepAlive.leave();
      throw error;
    }
  }

  async isDeaf({ deadline }: Limit): Promise<boolean> {
    const { listenTargets, hide } = this.#options;
    if (listenTargets !== undefined) return false;
    const { link, giveBack } = await this.#reads.take(deadline);
    const [answer] = (await link.run([ownNumber], deadline)) as [Answer];
    giveBack();
    if (answer.ok) return !isOwnNumber(answer.reply, link);
    const { error } = answer;
    throw answer.answered && isServerReply(error) ? replyError(error, hide) : lostError(error, hide);
  }

  listener(listening: Listening): Listener {
    const listener = this.#wiring.listener(listening);
    this.#listeners.add(listener);
    return listener;
  }

  async close(): Promise<void> {
    this.#reads.close();
    for (const lane of Object.values(this.#lanes)) lane.close();
    for (const listener of this.#listeners) listener.close();
    await this.#wiring.farewell();
  }
}

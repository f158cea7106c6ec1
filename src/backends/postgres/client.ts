import { KeepAlive } from "../../base/keep-alive.ts";
import { systemTime, type Time } from "../../base/time.ts";
import { Alarm } from "../common/alarm.ts";
import { PendingCallers } from "../common/pending.ts";
import type { Lane as LaneName, Limit, Reply, SqlClient, SqlTransaction, Statement } from "../sql/client.ts";
import { OwnLane, type Lane } from "../sql/lane.ts";
import { DialAttempt } from "./connections/attempt.ts";
import { loadPg, type PgClient } from "./connections/driver.ts";
import { attemptFailure, BACKEND, isServerReply, isUnprepared, lostError, replyError } from "./connections/errors.ts";
import { Names } from "./connections/names.ts";
import {
  resolveConnectionOptions,
  type PostgresConnectionOptions,
  type ResolvedConnectionOptions,
} from "./connections/options.ts";
import { Transaction } from "./connections/transaction.ts";
import { Wire, type Answer, type Run } from "./connections/wire.ts";

/** How many statements that only read are under way at once, on the one connection that they share. */
const readsAtOnce = 256;
/** How often a statement that only reads is sent, at most. */
const mostReads = 3;

/** The way to a server that `options` name. No I/O. Throws InvalidArgumentError. */
export function postgresClient(options: PostgresConnectionOptions, time: Time = systemTime): SqlClient {
  return new PostgresClient(resolveConnectionOptions(options), time);
}

/**
 * Connections of three lanes: one that all statements share which only read, a few for transactions, each for one at a
 * time, and one for the renewals of leases, which nothing else keeps busy.
 */
class PostgresClient implements SqlClient {
  readonly #options: ResolvedConnectionOptions;
  readonly #time: Time;
  readonly #names = new Names();
  readonly #alarm: Alarm<Run>;
  readonly #keepAlive: KeepAlive;
  readonly #pending: PendingCallers;
  readonly #reads: Lane<Wire>;
  readonly #lanes: Readonly<Record<LaneName, Lane<Wire>>>;

  constructor(options: ResolvedConnectionOptions, time: Time) {
    this.#options = options;
    this.#time = time;
    this.#alarm = new Alarm(time, (run) => run.wire.overdue(run));
    this.#keepAlive = new KeepAlive(time);
    this.#pending = new PendingCallers(BACKEND, options.maxWaiting);
    this.#reads = this.#lane(1, readsAtOnce);
    this.#lanes = { calls: this.#lane(options.maxConnections, 1), renewals: this.#lane(1, 1) };
  }

  async open(limit: Limit): Promise<void> {
    await this.read({ text: "SELECT 1", values: [] }, limit);
  }

  async read(statement: Statement, { deadline }: Limit): Promise<Reply> {
    this.#keepAlive.enter();
    try {
      for (let tries = 1; ; tries++) {
        const { link, giveBack } = await this.#reads.take(deadline);
        const [answer] = (await link.run([statement], deadline)) as [Answer];
        giveBack();
        if (answer.ok) return answer.reply;
        const { error, answered } = answer;
        const { hide } = this.#options;
        const failure = answered && isServerReply(error) ? replyError(error, hide) : lostError(error, hide);
        const again = failure.failure === "lost" || isUnprepared(error) || !link.alive;
        if (!again || tries >= mostReads || this.#time.monotonic() >= deadline) throw failure;
      }
    } finally {
      this.#keepAlive.leave();
    }
  }

  async write(make: () => Statement | undefined, limit: Limit): Promise<Reply | undefined> {
    const transaction = await this.transaction(limit, "calls");
    const statement = make();
    if (!statement) {
      transaction.rollback();
      return undefined;
    }
    const [reply] = await transaction.commit([statement]);
    return reply;
  }

  async transaction({ deadline }: Limit, lane: LaneName): Promise<SqlTransaction> {
    this.#keepAlive.enter();
    try {
      const lent = await this.#lanes[lane].take(deadline);
      const ended = (): void => this.#keepAlive.leave();
      return new Transaction(lent, { time: this.#time, hide: this.#options.hide, deadline, ended });
    } catch (error) {
      this.#keepAlive.leave();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#reads.close();
    for (const lane of Object.values(this.#lanes)) lane.close();
  }

  #lane(most: number, depth: number): Lane<Wire> {
    const { hide } = this.#options;
    const dial = { ...this.#options, time: this.#time, client: async () => (await loadPg()).Client };
    const alive = (client: PgClient): Wire =>
      new Wire(client, {
        time: this.#time,
        alarm: this.#alarm,
        names: this.#names,
        exclusive: depth === 1,
        lost: (wire, why) => lane.lost(wire, why),
      });
    const lane: OwnLane<Wire, DialAttempt> = new OwnLane({
      backend: BACKEND,
      time: this.#time,
      most,
      depth,
      pending: this.#pending,
      attempt: () => new DialAttempt(dial, alive),
      meaning: (error, attempt) => attemptFailure(error, attempt?.where ?? "the server", hide),
    });
    return lane;
  }
}

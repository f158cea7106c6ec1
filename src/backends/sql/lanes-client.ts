import type { UnavailableError } from "../../base/errors.ts";
import { KeepAlive } from "../../base/keep-alive.ts";
import type { Time } from "../../base/time.ts";
import type { Lane as LaneName, Limit, Reply, SqlClient, SqlTransaction, Statement } from "./client.ts";
import { HeldTransaction, type Found, type Trips } from "./held-transaction.ts";
import type { Lane } from "./lane.ts";

/** How often a statement that only reads is sent, at most. */
const mostReads = 3;

export interface LanesOptions<L> {
  readonly time: Time;
  readonly maxWaiting: number;
  readonly trips: Trips<L>;
  /** For statements that only read. It may be the same as `calls`. */
  readonly reads: Lane<L>;
  /** For transactions. */
  readonly calls: Lane<L>;
  /** For the renewals of leases, which nothing else keeps busy. */
  readonly renewals: Lane<L>;
  /** Resolves when all connections that were closed have ended, and soon in any case. */
  farewell(): Promise<void>;
}

/** A client on connections of three lanes. */
export abstract class LanesClient<L extends { readonly alive: boolean }> implements SqlClient {
  readonly maxWaiting: number;
  readonly #options: LanesOptions<L>;
  readonly #keepAlive: KeepAlive;

  constructor(options: LanesOptions<L>) {
    this.maxWaiting = options.maxWaiting;
    this.#options = options;
    this.#keepAlive = new KeepAlive(options.time);
  }

  abstract open(limit: Limit): Promise<void>;

  get problem(): UnavailableError | undefined {
    const { calls, reads } = this.#options;
    return calls.problem ?? reads.problem;
  }

  problemSince(since: number): UnavailableError | undefined {
    const { calls, reads } = this.#options;
    return calls.problemSince(since) ?? reads.problemSince(since);
  }

  read(statement: Statement, { deadline }: Limit): Promise<Reply> {
    const { trips } = this.#options;
    return this.reading(deadline, (link) => trips.read(link, statement, deadline));
  }

  /** What `ask` finds on a connection for reads. It changes nothing: it may be asked again. Rejects as `read` does. */
  protected async reading<T>(deadline: number, ask: (link: L) => Promise<Found<T>>): Promise<T> {
    const { time, reads } = this.#options;
    this.#keepAlive.enter();
    try {
      for (let tries = 1; ; tries++) {
        const { link, giveBack } = await reads.take(deadline);
        const answer = await ask(link);
        giveBack();
        if ("found" in answer) return answer.found;
        const again = answer.again || !link.alive;
        if (!again || tries === mostReads || time.monotonic() >= deadline) throw answer.failure;
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
    const { time, trips, [lane]: from } = this.#options;
    this.#keepAlive.enter();
    try {
      const lent = await from.take(deadline);
      const take = (): ReturnType<Lane<L>["take"]> => from.take(deadline);
      const ended = (): void => this.#keepAlive.leave();
      return new HeldTransaction(lent, { time, trips, deadline, take, ended });
    } catch (error) {
      this.#keepAlive.leave();
      throw error;
    }
  }

  async close(): Promise<void> {
    const { reads, calls, renewals, farewell } = this.#options;
    for (const lane of [reads, calls, renewals]) lane.close();
    await farewell();
  }
}

import { UnavailableError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import { Alarm } from "../../common/alarm.ts";
import { PendingCallers } from "../../common/pending.ts";
import type { Failure } from "../../common/reconnecting.ts";
import { OwnLane, type Hurrying, type Lane } from "../../sql/lane.ts";
import { OpenConnections } from "../../sql/open-connections.ts";
import { PoolLane } from "../../sql/pool-lane.ts";
import { DialAttempt, type DialOptions } from "./attempt.ts";
import type { PgClient, PgPool, PgPoolClient } from "./driver.ts";
import { attemptFailure, BACKEND } from "./errors.ts";
import { OwnListener, type Listener, type Listening } from "./listener.ts";
import { Names } from "./names.ts";
import type { ResolvedConnectionOptions } from "./options.ts";
import { Wire, type Run, type WireOptions } from "./wire.ts";

const poolEnded: Failure = {
  error: new UnavailableError("the pool was ended", { backend: BACKEND }),
  final: true,
};

type Lost = (wire: Wire, why: unknown) => void;

/** Makes the connections of one client, which share what is here. */
export class Wiring {
  readonly #options: ResolvedConnectionOptions;
  readonly #time: Time;
  readonly #names = new Names();
  readonly #alarm: Alarm<Run>;
  readonly #pending: PendingCallers;
  readonly #lanes = new Set<Hurrying>();
  /** Connections of our own that are open. */
  readonly #open: OpenConnections<PgClient>;

  constructor(options: ResolvedConnectionOptions, time: Time) {
    this.#options = options;
    this.#time = time;
    this.#alarm = new Alarm(time, (run) => run.wire.overdue(run));
    this.#open = new OpenConnections(time);
    this.#pending = new PendingCallers(BACKEND, options.maxWaiting);
  }

  /** `most` connections of our own, each for `depth` callers. */
  lane(most: number, depth: number): Lane<Wire> {
    const { hide } = this.#options;
    const dial = this.#dial(this.#options.targets);
    const alive = (client: PgClient): Wire => this.#alive(client, depth === 1, (wire, why) => lane.lost(wire, why));
    const lane: OwnLane<Wire, DialAttempt> = new OwnLane({
      backend: BACKEND,
      time: this.#time,
      most,
      depth,
      pending: this.#pending,
      siblings: this.#lanes,
      attempt: () => new DialAttempt(dial, { alive }),
      meaning: (error, attempt) => attemptFailure(error, attempt?.where ?? "the server", hide),
    });
    return lane;
  }

  /** Connections of the application's pool, each for one caller. */
  poolLane(pool: PgPool): Lane<Wire> {
    const { maxConnections: most, hide } = this.#options;
    return new PoolLane({
      backend: BACKEND,
      time: this.#time,
      most,
      pending: this.#pending,
      ask: async () => clientOf(pool, most),
      meaning: (error) => (pool.ending === true ? poolEnded : attemptFailure(error, "the server of the pool", hide)),
      alive: (client: PgPoolClient) => this.#wire(client, { own: false, exclusive: true, lost: () => undefined }),
      // With an error the pool does not use it any more.
      giveBack: (client, isOfUse) => client.release(isOfUse ? undefined : new Error("the connection is lost")),
    });
  }

  listener(listening: Listening): Listener {
    const { targets, listenTargets, hide, maxWaiting } = this.#options;
    const options = {
      time: this.#time,
      dial: this.#dial(listenTargets ?? targets),
      hide,
      maxWaiting,
      trusted: listenTargets !== undefined,
      alive: (client: PgClient, lost: Lost) => this.#alive(client, true, lost),
    };
    return new OwnListener(options, listening);
  }

  /** Resolves when all connections that were closed have ended, and soon in any case. */
  async farewell(): Promise<void> {
    // Whoever does not answer is left: its socket does not keep the process alive.
    await this.#open.farewell();
  }

  #dial(targets: DialOptions["targets"]): DialOptions {
    const { readWrite, connectTimeout, client } = this.#options;
    return { time: this.#time, client, targets, readWrite, connectTimeout };
  }

  #alive(client: PgClient, exclusive: boolean, lost: Lost): Wire {
    this.#open.add(client);
    client.on("end", () => this.#open.delete(client));
    return this.#wire(client, { own: true, exclusive, lost });
  }

  #wire(client: PgClient, options: Pick<WireOptions, "own" | "exclusive" | "lost">): Wire {
    return new Wire(client, { ...options, time: this.#time, alarm: this.#alarm, names: this.#names });
  }
}

/**
 * A client on which no transaction is open. One that somebody left open, which a commit of ours would commit, ends with
 * its connection; `most` of them are passed over.
 */
async function clientOf(pool: PgPool, most: number): Promise<PgPoolClient> {
  for (let passed = 0; passed <= most; passed++) {
    const client = await pool.connect();
    if ((client.getTransactionStatus?.() ?? "I") === "I") return client;
    client.release(new Error("a transaction was left open on it"));
  }
  throw new Error("each of its clients has a transaction open");
}

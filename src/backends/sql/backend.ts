/*
 * Who is who in what servers of SQL share. Nobody here knows a server.
 *
 * `backend` opens, and makes sessions (`session`): calls become tasks, and go on to `batch`.
 *
 * What becomes of groups:
 *   plan          by which way they go, and which rows they are about. `flow`: who goes together
 *   reads, writes those that only read, and those that write whatever is there
 *   transaction   all others: `rows` locks and writes, `row-view` and `row-locks` are what `decide` looks at
 *   singles       those whose rows somebody else had locked
 *   own-…         groups in a transaction of the application
 *   pages         listings. `sweep`: what has ended is removed. `passing`: locks that pass on by time alone
 * What is stored:
 *   dialect       what statements say, and what is in rows. `values`, `stamps`: how they are stored
 *   migrations    the tables, by versions; `tables` makes them. `identifiers`: their names
 * The way to a server:
 *   client        what each kind of server has; `lanes-client`, `held-transaction`: what is the same in all of them
 *   lane, pool-lane, waiting-line   where callers get a connection. `hindrance`: what was in their way lately.
 *                                   `open-connections`: those that are to end
 *   options, capabilities, settings, failures   what is the same for all of them. `context`: what everybody here has
 */
import { UnavailableError } from "../../base/errors.ts";
import { KeepAlive } from "../../base/keep-alive.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Key } from "../../base/keys.ts";
import type { Backend, Examination, Group, Opened, Session, Tables } from "../../port/index.ts";
import { Alarm } from "../common/alarm.ts";
import { before } from "../common/deadline.ts";
import { enforce, type Judgement } from "../common/findings.ts";
import { Opening } from "../common/opening.ts";
import { PendingCallers } from "../common/pending.ts";
import type { SignalHub } from "../common/signal-hub.ts";
import { Batches } from "./batch.ts";
import type { Limit, SqlClient, Statement } from "./client.ts";
import type { Context, Teller } from "./context.ts";
import type { Dialect } from "./dialect.ts";
import { failureOf } from "./failures.ts";
import type { TablePlan } from "./migrations.ts";
import type { ResolvedTableOptions } from "./options.ts";
import type { OwnDialect } from "./own-dialect.ts";
import { LockPassing } from "./passing.ts";
import type { Granted } from "./row-locks.ts";
import { SqlSession, type Shared } from "./session.ts";
import type { Asking } from "./settings.ts";
import { Sweep } from "./sweep.ts";
import { openTables, tablesOf } from "./tables.ts";

/** How long an attempt to open may take, and a look at locks, in ms. */
const openMs = 30_000;
const lookMs = 5_000;

export interface SqlBackendOptions extends Pick<ResolvedTableOptions, "migrate" | "settings"> {
  readonly client: SqlClient;
  readonly dialect: Dialect;
  /** See {@link Context.own}. */
  readonly own?: OwnDialect | undefined;
  readonly plan: TablePlan;
  /** What the server promises as it is set. Rejects with a HoldfastError where it will not do. */
  check(asking: Asking): Promise<Omit<Opened, "domain">>;
  /** Which rights on the tables are missing. Rejects with a HoldfastError. */
  judgeRights(asking: Asking): Promise<readonly Judgement[]>;
  /** Everything that can be learned of the server. Rejects with a HoldfastError. */
  examine(asking: Asking): Promise<Examination>;
  /** How sessions are told of grants, changes and messages. Undefined where the server cannot. */
  readonly signals?: ((opening: Opening<Opened>) => SqlSignals) | undefined;
  readonly time?: Time | undefined;
}

/** How a server tells sessions of what others do. */
export interface SqlSignals {
  readonly hub: SignalHub;
  /** A statement that tells sessions that their waiters were granted locks, once its transaction is committed. */
  tell(granted: readonly Granted[]): Statement;
}

/** A backend on a server that speaks SQL. No I/O. */
export class SqlBackend implements Backend {
  readonly name: string;
  readonly time: Time;
  readonly tables: Tables;
  readonly #options: SqlBackendOptions;
  readonly #shared: Shared;
  readonly #passing: LockPassing | undefined;
  readonly #sweep: Sweep;
  readonly #sessions = new Map<string, SqlSession>();
  #closed: Promise<void> | undefined;

  constructor(options: SqlBackendOptions) {
    const { client, dialect, own, plan, signals, time = systemTime } = options;
    const { name } = dialect;
    this.name = name;
    this.time = time;
    this.tables = tablesOf(client, plan, time);
    this.#options = options;
    const opening = new Opening(name, time, async () => this.#open());
    const told = signals?.(opening);
    const teller: Teller = {
      statements: ({ granted }) => (told && granted.length > 0 ? [told.tell(granted)] : []),
      done: (news) => this.#passing?.learned(news),
    };
    const context: Context = { name, time, client, dialect, own, teller };
    this.#shared = {
      context,
      batches: new Batches(context),
      opening,
      alarm: new Alarm(time, (call) => call.expire()),
      keepAlive: new KeepAlive(time),
      pending: new PendingCallers(name, client.maxWaiting),
      hub: told?.hub,
    };
    // Where nobody is told, those who wait ask anyway.
    if (told)
      this.#passing = new LockPassing(
        time,
        (id) => this.#sessions.has(id),
        (locks) => this.#look(locks),
      );
    this.#sweep = new Sweep({ time, client, dialect, failed: (error) => warn(name, error) });
  }

  open(): Promise<Opened> {
    return this.#shared.opening.open();
  }

  session(): Session {
    const session = new SqlSession(this.#shared, ({ id }) => this.#sessions.delete(id));
    if (this.#closed) session.end();
    else this.#sessions.set(session.id, session);
    return session;
  }

  async examine({ deadline }: Limit): Promise<Examination> {
    const { client, examine } = this.#options;
    try {
      await client.open({ deadline });
    } catch (error) {
      throw failureOf(error, this.name);
    }
    return examine(this.#asking(deadline));
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const session of [...this.#sessions.values()]) session.end();
    this.#passing?.close();
    const { opening, hub, context } = this.#shared;
    const closing = opening.close();
    await Promise.all([hub?.close(), this.#sweep.close()]);
    await context.client.close();
    // It ends soon: the client refuses what it asks for by now.
    await closing;
  }

  async #open(): Promise<Opened> {
    const { name, time } = this;
    const { client } = this.#options;
    const deadline = time.monotonic() + openMs;
    const late = (): Error =>
      client.problem ?? new UnavailableError("the server could not be reached in time", { backend: name });
    const reach = async (): Promise<Opened> => {
      await client.open({ deadline });
      const opened = await this.#prepare(this.#asking(deadline));
      if (!this.#closed) this.#sweep.start();
      return opened;
    };
    try {
      return await before(reach(), { time, deadline, late, ref: true });
    } catch (error) {
      throw failureOf(error, name);
    }
  }

  async #prepare(asking: Asking): Promise<Opened> {
    const { client, plan, migrate, settings, check, judgeRights } = this.#options;
    // First, so that nothing is written where the server is refused.
    const promised = await check(asking);
    const domain = await openTables(client, plan, migrate, asking);
    enforce(await judgeRights(asking), settings, this.name, client);
    return { domain, ...promised };
  }

  #asking(deadline: number): Asking {
    return { client: this.#options.client, backend: this.name, time: this.time, deadline };
  }

  /** Has locks looked at that may be due, which passes them on. */
  #look(locks: readonly Key[]): void {
    const session = [...this.#sessions.values()][0];
    const deadline = this.time.monotonic() + lookMs;
    const groups = locks.map((lock): Group => ({ ops: [{ op: "inspect", lock }] }));
    void session?.execute(groups, { deadline, claim: () => true });
  }
}

/** For a failure that no caller is told of. */
function warn(backend: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  const text = `what has expired cannot be removed from the tables of ${backend}: ${why}`;
  process.emitWarning(text, { type: "HoldfastWarning", code: "HOLDFAST_SWEEP" });
}

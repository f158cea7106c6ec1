import { UnavailableError } from "../../base/errors.ts";
import { KeepAlive } from "../../base/keep-alive.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Backend, Opened, Session } from "../../port/index.ts";
import { Alarm } from "../common/alarm.ts";
import type { Call, Task } from "../common/call.ts";
import { before } from "../common/deadline.ts";
import { Opening } from "../common/opening.ts";
import { Batches } from "./batch.ts";
import type { Limit, SqlClient } from "./client.ts";
import { silent, type Context, type Teller } from "./context.ts";
import type { Dialect } from "./dialect.ts";
import { failureOf } from "./failures.ts";
import type { OwnDialect } from "./own-dialect.ts";
import { SqlSession } from "./session.ts";

/** How long an attempt to open may take, in ms. */
const openMs = 30_000;

export interface SqlBackendOptions {
  readonly client: SqlClient;
  readonly dialect: Dialect;
  /** See {@link Context.own}. */
  readonly own?: OwnDialect | undefined;
  /** What there is to do once the server was reached: it looks for tables and settings. */
  prepare(limit: Limit): Promise<Opened>;
  readonly teller?: Teller | undefined;
  readonly time?: Time | undefined;
}

/** A backend on a server that speaks SQL. No I/O. */
export class SqlBackend implements Backend {
  readonly name: string;
  readonly time: Time;
  readonly context: Context;
  readonly batches: Batches;
  readonly opening: Opening<Opened>;
  readonly alarm: Alarm<Call<Task>>;
  readonly keepAlive: KeepAlive;
  readonly #prepare: SqlBackendOptions["prepare"];
  readonly #sessions = new Set<SqlSession>();
  #closed: Promise<void> | undefined;

  constructor({ client, dialect, own, prepare, teller = silent, time = systemTime }: SqlBackendOptions) {
    const { name } = dialect;
    this.name = name;
    this.time = time;
    this.context = { name, time, client, dialect, own, teller };
    this.batches = new Batches(this.context);
    this.alarm = new Alarm(time, (call) => call.expire(client.problem));
    this.keepAlive = new KeepAlive(time);
    this.#prepare = prepare;
    this.opening = new Opening(name, time, async () => this.#open());
  }

  open(): Promise<Opened> {
    return this.opening.open();
  }

  session(): Session {
    const session = new SqlSession(this, (ended) => this.#sessions.delete(ended));
    if (this.#closed) session.end();
    else this.#sessions.add(session);
    return session;
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const session of [...this.#sessions]) session.end();
    const opening = this.opening.close();
    await this.context.client.close();
    // It ends soon: the client refuses what it asks for by now.
    await opening;
  }

  async #open(): Promise<Opened> {
    const { name, time, context } = this;
    const deadline = time.monotonic() + openMs;
    const late = (): Error =>
      context.client.problem ?? new UnavailableError("the server could not be reached in time", { backend: name });
    const reach = async (): Promise<Opened> => {
      await context.client.open({ deadline });
      return this.#prepare({ deadline });
    };
    try {
      return await before(reach(), { time, deadline, late, ref: true });
    } catch (error) {
      throw failureOf(error, name);
    }
  }
}

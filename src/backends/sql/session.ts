import { drawId } from "../../base/ids.ts";
import type { KeepAlive } from "../../base/keep-alive.ts";
import type {
  ExecuteCall,
  Group,
  Opened,
  Outcome,
  OwnConnection,
  OwnTransaction,
  Page,
  Query,
  Session,
  Signals,
} from "../../port/index.ts";
import type { Alarm } from "../common/alarm.ts";
import { Call, Task } from "../common/call.ts";
import { before } from "../common/deadline.ts";
import { closedError, lateError, notSent, refuse } from "../common/failures.ts";
import type { Opening } from "../common/opening.ts";
import type { PendingCallers, Stay } from "../common/pending.ts";
import type { SignalHub } from "../common/signal-hub.ts";
import type { Batches } from "./batch.ts";
import type { Context } from "./context.ts";
import { failureBy, failureOf } from "./failures.ts";
import { Foreign } from "./own-connection.ts";
import { SqlOwnTransaction } from "./own-transaction.ts";
import { readPage } from "./pages.ts";

/** Most keys of a group: so many rows are locked for no longer than other calls bear. */
export const maxGroup = 256;
/** Largest value, in bytes, where the server takes no less. */
export const maxValue = 64 * 1024 * 1024;

/** What sessions have of their backend. */
export interface Shared {
  readonly context: Context;
  readonly batches: Batches;
  readonly opening: Opening<Opened>;
  readonly alarm: Alarm<Call<Task>>;
  readonly keepAlive: KeepAlive;
  /** Groups that wait for a connection. */
  readonly pending: PendingCallers;
  readonly hub: SignalHub | undefined;
}

const make: ConstructorParameters<typeof Call<Task>>[0]["make"] = (call, i, group) => new Task(call, i, group);

/** An instance on a server that speaks SQL. */
export class SqlSession implements Session {
  readonly id = drawId();
  readonly signals?: Signals;
  readonly within?: (connection: OwnConnection) => OwnTransaction;
  readonly #shared: Shared;
  readonly #onEnd: (session: SqlSession) => void;
  #ended = false;

  constructor(shared: Shared, onEnd: (session: SqlSession) => void) {
    this.#shared = shared;
    this.#onEnd = onEnd;
    const { context, opening, hub } = shared;
    if (hub) this.signals = hub.signalsOf(this.id);
    const { own, name } = context;
    if (!own) return;
    const options = { context, own, opening, session: this.id, maxGroup, isEnded: () => this.#ended };
    this.within = (connection) => new SqlOwnTransaction({ ...options, foreign: new Foreign(connection, own, name) });
  }

  execute(groups: readonly Group[], given: ExecuteCall): Promise<readonly Outcome[]> {
    return new Promise((resolve) => {
      const { context, alarm, opening, batches, keepAlive, pending } = this.#shared;
      const { name: backend, client } = context;
      keepAlive.enter();
      let stay: Stay | undefined;
      const settle = (outcomes: readonly Outcome[]): void => {
        stay?.leave();
        keepAlive.leave();
        resolve(outcomes);
      };
      const of = { groups, session: this.id, backend, late: this.#late(), make };
      const call = new Call(of, given, alarm, settle);
      for (const task of call.tasks) {
        if (this.#ended) task.settle(notSent(closedError(backend)));
        else this.#refuse(task);
      }
      let left = call.tasks.filter(({ outcome }) => !outcome);
      if (!opening.opened || client.problem) {
        // Nobody serves them now: so many wait.
        stay = pending.enter(left.length);
        for (const task of left.slice(stay.admitted)) task.fail(pending.full());
        left = left.slice(0, stay.admitted);
      }
      if (left.length === 0) return;
      if (opening.opened) batches.run(left);
      else void this.#openFor(left, given.deadline);
    });
  }

  async page(query: Query, { deadline }: { readonly deadline: number }): Promise<Page> {
    const { context, opening } = this.#shared;
    const { name, time } = context;
    if (this.#ended) throw closedError(name);
    const late = this.#late();
    const read = async (): Promise<Page> => {
      await opening.openBefore(deadline);
      return readPage(context, query, { deadline });
    };
    try {
      return await before(read(), { time, deadline, late, ref: true });
    } catch (error) {
      throw failureBy({ deadline, late }, error, context);
    }
  }

  /** The error of a call that begins now, at its deadline: what was in the way of a connection since then. */
  #late(): () => Error {
    const { name, client, time } = this.#shared.context;
    const begun = time.monotonic();
    return () => client.problemSince(begun) ?? lateError(name);
  }

  async close(): Promise<void> {
    this.end();
  }

  /** What {@link close} does, at once. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#shared.hub?.drop(this.id);
    this.#onEnd(this);
  }

  async #openFor(tasks: readonly Task[], deadline: number): Promise<void> {
    const { context, batches, opening } = this.#shared;
    try {
      await opening.openBefore(deadline);
    } catch (error) {
      for (const task of tasks) task.fail(failureOf(error, context.name));
      return;
    }
    for (const task of tasks) if (!task.outcome) this.#refuse(task);
    batches.run(tasks.filter(({ outcome }) => !outcome));
  }

  /** Settles a task that no server takes, or not this one, as is known once it is open. */
  #refuse(task: Task): void {
    const { context, opening } = this.#shared;
    const most = opening.opened?.capabilities.maxValue ?? maxValue;
    const refused = refuse(task.group, { backend: context.name, maxGroup, maxValue: most });
    if (refused) task.settle(refused);
  }
}

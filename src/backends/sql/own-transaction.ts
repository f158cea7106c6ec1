import { InvalidArgumentError, UnavailableError, UnsupportedError } from "../../base/errors.ts";
import { keyId, type Key } from "../../base/keys.ts";
import type { Group, Opened, Outcome, OwnCall, OwnTransaction } from "../../port/index.ts";
import { decide } from "../common/decide.ts";
import { before } from "../common/deadline.ts";
import { closedError, givenUp, lateError, maybeSent, notSent, refuse } from "../common/failures.ts";
import type { Opening } from "../common/opening.ts";
import { SqlError, type Reply } from "./client.ts";
import type { Context } from "./context.ts";
import type { Dialect, Table } from "./dialect.ts";
import type { Foreign } from "./own-connection.ts";
import type { Entered, OwnDialect } from "./own-dialect.ts";
import { Trip } from "./own-trip.ts";
import { inOrder, isBlind, planOf, type Plan } from "./plan.ts";
import { changesOf, leftoversOf } from "./rows.ts";
import { RowView } from "./row-view.ts";
import { setRowsOf } from "./writes.ts";

/** How long the reply to a statement may be on its way beyond its deadline, in ms: then nothing can be said of it. */
const graceMs = 500;

export interface OwnTransactionOptions {
  readonly context: Context;
  readonly own: OwnDialect;
  readonly opening: Opening<Opened>;
  readonly session: string;
  readonly foreign: Foreign;
  /** Most keys of a group. */
  readonly maxGroup: number;
  readonly isEnded: () => boolean;
}

/**
 * Groups as a part of a transaction that the application has begun: their rows are locked, decided and written as in
 * one of ours, a statement at a time, on its connection. What was locked stays so until it ends, what was written is
 * committed with it.
 */
export class SqlOwnTransaction implements OwnTransaction {
  readonly #options: OwnTransactionOptions;
  /** What was found when the connection was first looked at. */
  #known: Entered | undefined;

  constructor(options: OwnTransactionOptions) {
    this.#options = options;
  }

  async execute(group: Group, call: OwnCall): Promise<Outcome> {
    const { context, own, foreign } = this.#options;
    const { name, time } = context;
    const trip = new Trip(foreign, call);
    const work = foreign.inLine(async () => this.#outcome(group, trip));
    const deadline = call.deadline + own.roundsUpMs + graceMs;
    const late = (): Error => lateError(name);
    try {
      return await before(work, { time, deadline, late, ref: true });
    } catch (error) {
      trip.end();
      return trip.sent ? maybeSent(error as Error) : notSent(error as Error);
    }
  }

  /** Never rejects. */
  async #outcome(group: Group, trip: Trip): Promise<Outcome> {
    const { context, own, opening, maxGroup, isEnded } = this.#options;
    const { name, time } = context;
    try {
      const { domain, capabilities } = await opening.openBefore(trip.deadline);
      if (isEnded()) throw closedError(name);
      const refused = refuse(group, { backend: name, maxGroup, maxValue: capabilities.maxValue });
      if (refused) return refused;
      if (!group.ops.every(isTaken)) throw new UnsupportedError("an own transaction takes no such operation");
      if (time.monotonic() >= trip.deadline) return notSent(lateError(name));
      if (!trip.isWanted()) return givenUp(name);
      return await this.#execute(group, domain, trip);
    } catch (error) {
      if (!(error instanceof SqlError)) return notSent(error as Error);
      // The server may have rolled back all of the transaction: it is looked for again.
      if (!own.failsAll) this.#known = undefined;
      return notSent(failed(error, name));
    }
  }

  async #execute(group: Group, domain: string, trip: Trip): Promise<Outcome> {
    const { own } = this.#options;
    const reads = isRead(group);
    if (reads && this.#known) return this.#read(group, trip);
    const entered = await this.#enter(trip);
    let outcome: Outcome;
    try {
      this.#verify(entered, domain);
      outcome = await (reads ? this.#read(group, trip) : this.#write(group, entered, trip));
    } catch (error) {
      if (!own.failsAll) await trip.runAnyway(entered.leave);
      // Else a failed statement has left nothing but a rollback, which sets the waits as they were.
      else if (!(error instanceof SqlError)) await trip.run(entered.leave);
      throw error;
    }
    // Where a call that was given up by now has changed the session, that outlives the transaction.
    await (own.failsAll ? trip.run(entered.leave) : trip.runAnyway(entered.leave));
    return outcome;
  }

  /** Bounds the waits of the statements that follow. */
  async #enter(trip: Trip): Promise<Entered> {
    const { context, own } = this.#options;
    const waitMs = Math.max(1, Math.ceil(trip.deadline - context.time.monotonic()));
    try {
      return own.entered(await trip.run(own.enter(waitMs, this.#known)), this.#known);
    } catch (error) {
      if (error instanceof SqlError && own.isOutside(error)) throw this.#outside();
      throw error;
    }
  }

  #verify(entered: Entered, domain: string): void {
    if (!entered.open) throw this.#outside();
    if (entered.domain !== domain) throw this.#refused("it does not lead to the tables of this backend");
    this.#known ??= entered;
  }

  #outside(): InvalidArgumentError {
    return this.#refused(this.#known ? "its transaction has ended" : "no transaction is open on it");
  }

  #refused(why: string): InvalidArgumentError {
    return new InvalidArgumentError(`the connection of the application cannot be used: ${why}`, {
      backend: this.#options.context.name,
    });
  }

  /** As the transaction sees it; waits for nobody. */
  async #read(group: Group, trip: Trip): Promise<Outcome> {
    const { dialect } = this.#options.context;
    const view = new RowView(dialect);
    await readRecords(view, dialect, planOf([group]), trip);
    return decide(view, group, this.#options.session);
  }

  async #write(group: Group, entered: Entered, trip: Trip): Promise<Outcome> {
    const { dialect } = this.#options.context;
    if (!isBlind(group)) return this.#decide(group, entered, trip);
    await trip.run([dialect.set(setRowsOf([group]))]);
    return { ok: true, results: group.ops.map(() => undefined) };
  }

  async #decide(group: Group, entered: Entered, trip: Trip): Promise<Outcome> {
    const { context, own, session } = this.#options;
    const { dialect, teller } = context;
    const plan = planOf([group]);
    const view = new RowView(dialect);
    const locks = keysOf(plan, "locks");
    if (locks.length > 0) view.add("locks", dialect.locks((await trip.run(own.hold(locks, entered))).at(-1) as Reply));
    // What is only read under a lease need not stay as it is.
    if (group.ops.every(({ op }) => op === "get" || op === "check" || op === "floor")) {
      await readRecords(view, dialect, plan, trip);
    } else await lockRows(view, dialect, plan, "records", trip);
    await lockRows(view, dialect, plan, "floors", trip);
    const [clock] = await trip.run([dialect.clock()]);
    view.setClock(dialect.time(clock as Reply));
    let changes = leftoversOf(dialect, view, plan);
    try {
      const outcome = decide(view, group, session);
      // A group that is refused changes nothing, and a lock of which time has made something is left to others.
      if (outcome.ok) changes = [...changesOf(dialect, view, plan), ...teller.statements(view.news)];
      return outcome;
    } finally {
      await trip.run(changes);
    }
  }
}

async function readRecords(view: RowView, dialect: Dialect, plan: Plan, trip: Trip): Promise<void> {
  const keys = keysOf(plan, "records");
  if (keys.length === 0) return;
  const values = [...plan.records.values()].some((wanted) => wanted.values);
  const [reply] = await trip.run([dialect.get(keys, { values, current: false })]);
  view.add("records", dialect.records(reply as Reply));
}

/** Locks rows, with one where there was none, until all of them are there: one may go before it is locked. */
async function lockRows(
  view: RowView,
  dialect: Dialect,
  plan: Plan,
  table: "records" | "floors",
  trip: Trip,
): Promise<void> {
  const keys = keysOf(plan, table);
  const values = [...plan[table].values()].some((wanted) => wanted.values);
  while (keys.some((key) => !view.has(table, keyId(key)))) {
    const [, reply] = await trip.run([
      dialect.insertMissing(table, keys, true),
      dialect.lock(table, keys, { mode: "write", skip: false, patient: true, values }),
    ]);
    if (table === "records") view.add(table, dialect.records(reply as Reply));
    else view.add(table, dialect.floors(reply as Reply));
  }
}

function keysOf(plan: Plan, table: Table): readonly Key[] {
  return inOrder(plan[table].values()).map(({ key }) => key);
}

/** Whether it looks at records and at nothing else. */
function isRead({ guards, ops }: Group): boolean {
  return !guards?.length && ops.every(({ op }) => op === "get" || op === "check");
}

/** Locks are only checked here, and what is stamped belongs to caches. */
function isTaken(op: Group["ops"][number]): boolean {
  return !("lock" in op) && !("stamped" in op && op.stamped);
}

function failed(cause: SqlError, backend: string): UnavailableError {
  const message = `a statement has failed, so the transaction must be rolled back: ${cause.message}`;
  return new UnavailableError(message, { backend, cause, refused: cause.failure !== "lost" });
}

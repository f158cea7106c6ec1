import { isHoldfastError, UnavailableError, UnsupportedError } from "../../base/errors.ts";
import { pauseFor, type Time } from "../../base/time.ts";
import type { Tables } from "../../port/index.ts";
import { fine, wrong, type Judgement } from "../common/findings.ts";
import { SqlError, type Limit, type Reply, type SqlClient, type Statement } from "./client.ts";
import {
  domainOf,
  lookAtTables,
  makeTables,
  notMade,
  printedStatements,
  type Made,
  type Steps,
  type TablePlan,
  type TableState,
} from "./migrations.ts";

/** Whether missing tables are made when a backend is opened, or only looked for. */
export type MigrateMode = "auto" | "check";

/** By when it must be over, and on whose clock. */
export interface TableLimit extends Limit {
  readonly time: Time;
}

/**
 * Makes sure that the tables are there, and gives the id of the data. Where they are, it takes the right to read the
 * table of meta and no other. Rejects with UnsupportedError where they are missing, or cannot be made or used, and with
 * UnavailableError.
 */
export async function openTables(
  client: SqlClient,
  plan: TablePlan,
  mode: MigrateMode,
  limit: TableLimit,
): Promise<string> {
  const state = await lookedAt(client, plan, limit);
  const domain = domainOf(plan, state);
  if (domain !== undefined) return domain;
  if (mode === "check") throw notMade(plan, state);
  return (await migrateTables(client, plan, false, limit)).domain;
}

async function lookedAt(client: SqlClient, plan: TablePlan, limit: TableLimit): Promise<TableState> {
  return attempted(plan, "looked at", limit, async () =>
    driven(lookAtTables(plan), async ([statement, ...more]) => {
      if (statement === undefined || more.length > 0) throw new Error("a look is one statement at a time");
      return [await client.read(statement, limit)];
    }),
  );
}

/** What is to be said of the tables: whether they are there, and of which version. Rejects with UnavailableError. */
export async function judgeTables(client: SqlClient, plan: TablePlan, limit: TableLimit): Promise<Judgement> {
  let state: TableState;
  try {
    state = await lookedAt(client, plan, limit);
  } catch (error) {
    if (!isHoldfastError(error, "UNSUPPORTED")) throw error;
    return wrong("the tables", error.message, "see docs/sql.md, under Migrations", "always");
  }
  if (domainOf(plan, state) !== undefined) return fine("the tables", `are there, of version ${state.version}`);
  if (state.version === 0)
    return fine("no tables are there yet", 'they are made by the first to connect, or by "holdfast migrate URL"');
  return wrong("the tables", notMade(plan, state).message, "see docs/sql.md, under Migrations", "always");
}

/** The tables as the port shows them: for who makes them apart from opening. */
export function tablesOf(client: SqlClient, plan: TablePlan, time: Time): Tables {
  return {
    statements: () => printedStatements(plan),
    async make({ deadline }) {
      const limit = { deadline, time };
      await attempted(plan, "made", limit, async () => client.open(limit));
      return (await migrateTables(client, plan, true, limit)).report;
    },
  };
}

/** Makes what is missing: see {@link makeTables}. Rejects as {@link openTables} does. */
export async function migrateTables(
  client: SqlClient,
  plan: TablePlan,
  again: boolean,
  limit: TableLimit,
): Promise<Made> {
  return attempted(plan, "made", limit, async () => {
    const transaction = await client.transaction(limit, "calls");
    try {
      const made = await driven(makeTables(plan, again), async (statements) => transaction.run(statements));
      await transaction.commit([]);
      return made;
    } finally {
      transaction.rollback();
    }
  });
}

type Replies = readonly Pick<Reply, "rows">[];

async function driven<T>(steps: Steps<T>, run: (statements: readonly Statement[]) => Promise<Replies>): Promise<T> {
  let step = steps.next([]);
  while (!step.done) step = steps.next(await run(step.value));
  return step.value;
}

/** Others may make the same tables at the same moment: what failed for that is tried again. */
async function attempted<T>(plan: TablePlan, verb: string, limit: TableLimit, work: () => Promise<T>): Promise<T> {
  const { time, deadline } = limit;
  for (let pause = 10; ; pause = Math.min(pause * 2, 500)) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      const wait = pause * (0.5 + Math.random());
      if (error.failure !== "busy" || time.monotonic() + wait > deadline) throw failureOf(plan, verb, error);
      await pauseFor(time, wait);
    }
  }
}

function failureOf({ backend }: TablePlan, verb: string, cause: SqlError): Error {
  const text = `the tables cannot be ${verb}: ${cause.message}`;
  if (cause.failure !== "refused") return new UnavailableError(text, { backend, cause });
  const hint = "docs/sql.md lists the rights that it takes, under Grants";
  return new UnsupportedError(`${text}; ${hint}`, { backend, cause });
}

import { sizeText } from "../../../base/sizes.ts";
import type { Fact } from "../../../port/index.ts";
import { fine, risk, unknown, wrong, type Judgement } from "../../common/findings.ts";
import { literal, type TableKind } from "../../sql/identifiers.ts";
import type { TablePlan } from "../../sql/migrations.ts";
import { fact, rowsIfAllowed, rowsOf, type Asking } from "../../sql/settings.ts";

/** Dead rows below this are nothing. */
const fewDead = 10_000;
/** A transaction that is open for longer keeps dead rows where they are, in seconds. */
const longTransaction = 900;
/** Transactions before the server stops to protect itself begins at 2^31; far before that it should have cleaned up. */
const oldTransactions = 1_000_000_000;

/** What a user needs of each table, as `GRANT` writes it. */
const neededRights: Readonly<Record<TableKind, readonly string[]>> = {
  meta: ["SELECT", "INSERT", "UPDATE"],
  records: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  locks: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  floors: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  watchers: ["SELECT", "INSERT", "UPDATE", "DELETE"],
};

/** Which rights on tables that are there and on their schema are missing. */
export async function judgeRights(plan: TablePlan, asking: Asking): Promise<Judgement[]> {
  const { names } = plan;
  const schema = literal(names.schema ?? "");
  const wanted = plan.versions
    .flatMap(({ tables }) => tables)
    .flatMap((kind) => neededRights[kind].map((right) => `(${literal(names.plain(kind))}, ${literal(right)})`));
  const rows = (await rowsOf(
    `WITH n AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = ${schema}) ` +
      "SELECT w.t, w.r FROM n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid " +
      `JOIN (VALUES ${wanted.join(", ")}) w(t, r) ON w.t = c.relname ` +
      "WHERE NOT pg_catalog.has_table_privilege(c.oid, w.r) " +
      "UNION ALL SELECT n.nspname::text, 'USAGE' FROM n WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')",
    asking,
  )) as readonly (readonly [string, string])[];
  if (rows.length === 0) return [fine("the user's rights", "are enough")];
  const byThing = new Map<string, string[]>();
  for (const [thing, right] of rows) byThing.set(thing, [...(byThing.get(thing) ?? []), right]);
  const missing = [...byThing].map(([thing, rights]) => `${rights.join(", ")} on ${thing}`).join("; ");
  return [
    wrong("the user's rights", `missing: ${missing}`, "grant them: docs/sql.md lists them, under Grants", "asked"),
  ];
}

/** How the tables are, and who keeps the server from cleaning them. */
export async function examineTables(
  plan: TablePlan,
  asking: Asking,
): Promise<{ readonly facts: Fact[]; readonly judgements: Judgement[] }> {
  const { names } = plan;
  const kinds = plan.versions.flatMap(({ tables }) => tables);
  const rows = (await rowsOf(
    "SELECT c.relname::text, s.n_live_tup, s.n_dead_tup, pg_catalog.pg_total_relation_size(c.oid), " +
      "coalesce(c.reloptions::text LIKE '%autovacuum_enabled=false%', false), " +
      "pg_catalog.age(c.relfrozenxid)::bigint " +
      "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " +
      "LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid " +
      `WHERE n.nspname = ${literal(names.schema ?? "")} ` +
      `AND c.relname IN (${kinds.map((kind) => literal(names.plain(kind))).join(", ")}) ORDER BY 1`,
    asking,
  )) as readonly (readonly [string, number | null, number | null, number, boolean, number])[];
  const facts = rows.flatMap(([table, live, dead, bytes]) => {
    const counts = `about ${(live ?? 0).toLocaleString("en")} rows, ${(dead ?? 0).toLocaleString("en")} dead`;
    return fact("tables", table, bytes, `${sizeText(bytes)}, ${counts}`);
  });
  const judgements = rows.flatMap(([table, live, dead, , off, age]) => [
    ...(off ? [wrong(`${table}: autovacuum_enabled false`, "it grows with every write", "reset it")] : []),
    ...judgeDead(table, live ?? 0, dead ?? 0),
    ...(age > oldTransactions
      ? [risk(`${table}: ${age} transactions old`, "the server stops taking writes at 2 billion", "vacuum it")]
      : []),
  ]);
  return { facts, judgements: [...judgements, ...(await judgeLongTransactions(asking))] };
}

function judgeDead(table: string, live: number, dead: number): Judgement[] {
  if (dead < fewDead || dead < live) return [];
  return [
    risk(
      `${table}: ${dead.toLocaleString("en")} dead rows beside ${live.toLocaleString("en")}`,
      "reads and writes pass them on their way",
      "see who keeps transactions open, and have autovacuum come more often",
    ),
  ];
}

async function judgeLongTransactions(asking: Asking): Promise<Judgement[]> {
  const rows = await rowsIfAllowed(
    "SELECT max(extract(epoch from pg_catalog.clock_timestamp() - xact_start))::bigint, " +
      "count(*) FILTER (WHERE state IS NULL AND backend_type IS NULL) FROM pg_catalog.pg_stat_activity",
    asking,
  );
  const [oldest, hidden] = rows?.[0] ?? [];
  const seconds = Number(oldest ?? 0);
  if (seconds > longTransaction)
    return [
      risk(
        `a transaction has been open for ${Math.round(seconds / 60)} min`,
        "no dead row of any table goes while it is: locks and records become slow",
        "see pg_stat_activity, and set idle_in_transaction_session_timeout",
      ),
    ];
  if (rows === undefined || Number(hidden) > 0)
    return [
      unknown(
        "long transactions",
        "this user may not see those of others",
        "grant pg_read_all_stats to the user of the doctor",
      ),
    ];
  return [fine("long transactions", "none keeps dead rows")];
}

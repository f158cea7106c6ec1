import { sizeText } from "../../../base/sizes.ts";
import type { Fact } from "../../../port/index.ts";
import { fine, risk, unknown, wrong, type Judgement } from "../../common/findings.ts";
import { SqlError } from "../../sql/client.ts";
import { tableRow } from "../migrations.ts";
import { failureOf } from "../../sql/failures.ts";
import type { TablePlan } from "../../sql/migrations.ts";
import { fact, rowsIfAllowed, rowsOf, type Asking } from "../../sql/settings.ts";

/** A transaction that is open for longer keeps old rows where they are, in seconds. */
const longTransaction = 900;

const kinds = ["meta", "records", "locks", "floors"] as const;

/** A statement that takes each right that is needed. What is explained is not executed, and takes the same rights. */
const trials: Readonly<Record<(typeof kinds)[number], (table: string) => readonly [string, string][]>> = {
  meta: (table) => [
    ["SELECT", `SELECT \`name\` FROM ${table}`],
    ["INSERT", `INSERT INTO ${table} (\`name\`, \`value\`) VALUES ('', '')`],
    ["UPDATE", `UPDATE ${table} SET \`value\` = ''`],
  ],
  records: (table) => [
    [
      "INSERT",
      `INSERT INTO ${table} (\`space\`, \`key\`, \`version\`, \`format\`, \`value\`) VALUES ('', '', '', 0, '')`,
    ],
    ...common(table),
  ],
  locks: (table) => [
    [
      "INSERT",
      `INSERT INTO ${table} (\`space\`, \`key\`, \`body\`, \`grant_no\`, \`kept_until\`) VALUES ('', '', '', 0, 0)`,
    ],
    ...common(table),
  ],
  floors: (table) => [
    [
      "INSERT",
      `INSERT INTO ${table} (\`space\`, \`key\`, \`grant_no\`, \`n\`, \`kept_until\`) VALUES ('', '', 0, 0, 0)`,
    ],
    ...common(table),
  ],
};

function common(table: string): [string, string][] {
  return [
    ["SELECT", `SELECT \`space\` FROM ${table}`],
    ["UPDATE", `UPDATE ${table} SET \`space\` = ''`],
    ["DELETE", `DELETE FROM ${table}`],
  ];
}

/** Which rights on our tables are missing, of those that are there. */
export async function judgeRights(
  plan: TablePlan,
  asking: Asking,
  there: readonly string[] = kinds.map((kind) => plan.names.plain(kind)),
): Promise<Judgement[]> {
  const { names } = plan;
  const tried = kinds.filter((kind) => there.includes(names.plain(kind)));
  const all = tried.flatMap((kind) => trials[kind](names[kind]).map(([, text]) => `EXPLAIN ${text}`));
  const missing: string[] = [];
  for (const kind of (await areAllowed(all, asking)) ? [] : tried) {
    const refused: string[] = [];
    for (const [right, text] of trials[kind](names[kind])) {
      if ((await rowsIfAllowed(`EXPLAIN ${text}`, asking)) === undefined) refused.push(right);
    }
    if (refused.length > 0) missing.push(`${refused.join(", ")} on ${names.plain(kind)}`);
  }
  if (missing.length === 0) return [fine("the user's rights", "are enough")];
  const what = `missing: ${missing.join("; ")}`;
  return [wrong("the user's rights", what, "grant them: docs/sql.md lists them, under Grants", "asked")];
}

/** Whether the server takes all of the statements, which write nothing: one trip. */
async function areAllowed(texts: readonly string[], { client, backend, deadline }: Asking): Promise<boolean> {
  try {
    const transaction = await client.transaction({ deadline }, "calls");
    try {
      await transaction.run(texts.map((text) => ({ text, values: [] })));
      return true;
    } finally {
      transaction.rollback();
    }
  } catch (error) {
    if (error instanceof SqlError && error.failure === "refused") return false;
    throw failureOf(error, backend);
  }
}

/** How the tables are, and who keeps the server from cleaning them. */
export async function examineTables(
  plan: TablePlan,
  asking: Asking,
): Promise<{ readonly facts: Fact[]; readonly judgements: Judgement[] }> {
  const columns = "TABLE_NAME, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH";
  const rows = await rowsOf(
    kinds.map((kind) => `SELECT ${columns} ${tableRow(plan.names, kind)}`).join(" UNION ALL ") +
      ` LIMIT ${kinds.length}`,
    asking,
  );
  const facts = rows.flatMap(([table, ...numbers]) => {
    const [count = 0, bytes = 0] = numbers.map(Number);
    return fact("tables", String(table), bytes, `${sizeText(bytes)}, about ${count.toLocaleString("en")} rows`);
  });
  return { facts, judgements: [await judgeLongTransactions(asking)] };
}

async function judgeLongTransactions(asking: Asking): Promise<Judgement> {
  const rows = await rowsIfAllowed(
    "SELECT MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())) FROM information_schema.INNODB_TRX",
    asking,
  );
  if (rows === undefined)
    return unknown("long transactions", "this user may not see them", "grant PROCESS to the user of the doctor");
  const seconds = Number(rows[0]?.[0] ?? 0);
  return seconds > longTransaction
    ? risk(
        `a transaction has been open for ${Math.round(seconds / 60)} min`,
        "old rows of every table stay while it is: locks and records become slow",
        "see information_schema.INNODB_TRX",
      )
    : fine("long transactions", "none keeps old rows");
}

import type { Fact } from "../../../port/index.ts";
import type { Judgement } from "../../common/findings.ts";
import { fact, judgeLeft, rowsOf, type Asking } from "../../sql/settings.ts";
import type { Account } from "./account.ts";

/** How many connections are left to this user in this database. */
export async function examineConnections(
  account: Account,
  asking: Asking,
): Promise<{ readonly facts: Fact[]; readonly judgements: Judgement[] }> {
  const [row] = await rowsOf(
    "SELECT count(*), count(*) FILTER (WHERE a.usename = current_user), " +
      "count(*) FILTER (WHERE a.datname = pg_catalog.current_database()), " +
      "(SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user), " +
      "(SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()), " +
      "(SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()) " +
      "FROM pg_catalog.pg_stat_activity a WHERE a.datname IS NOT NULL",
    asking,
  );
  const [all = 0, ofUser = 0, ofDatabase = 0, userLimit = -1, databaseLimit = -1] = (row ?? []).map(Number);
  const most = Number(account.setting("max_connections") ?? Number.NaN);
  const reserved =
    Number(account.setting("superuser_reserved_connections") ?? 0) +
    Number(account.setting("reserved_connections") ?? 0);
  const left = Math.min(
    Number.isNaN(most) ? Infinity : most - reserved - all,
    userLimit < 0 ? Infinity : userLimit - ofUser,
    databaseLimit < 0 ? Infinity : databaseLimit - ofDatabase,
  );
  const facts = [
    ...fact("connections", "in use", all, Number.isNaN(most) ? undefined : `${all} of ${most}`),
    ...(left === Infinity ? [] : fact("connections", "left to this user", left)),
    ...fact("connections", "TLS", row?.[5] === true, row?.[5] === true ? "yes" : "no"),
  ];
  if (left === Infinity) return { facts, judgements: [] };
  const remedy = "raise max_connections or the limit of the user, or put a pooler in between";
  return { facts, judgements: [judgeLeft(Math.max(0, left), remedy)] };
}

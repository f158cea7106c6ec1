// How a server is set, for `open` and for `holdfast doctor`.
//
// - `account`: what a server says of itself. `rules`: what is to be said of that, and what it leaves of the promises.
// - `tables`: how ours are, and what the user may do with them.

import { UnavailableError } from "../../../base/errors.ts";
import type { Capabilities, Examination, Fact } from "../../../port/index.ts";
import { enforce, risk, type Judgement, type SettingsMode } from "../../common/findings.ts";
import type { TablePlan } from "../../sql/migrations.ts";
import {
  clockFact,
  examinationOf,
  fact,
  judgeLeft,
  leavesOpenOf,
  rowsIfAllowed,
  type Asking,
} from "../../sql/settings.ts";
import { judgeTables } from "../../sql/tables.ts";
import { readAccount, type Account, type MySqlAsking } from "./account.ts";
import { durabilityOf, judge, readOnlyBy, waitsForReplica } from "./rules.ts";
import { examineTables, judgeRights } from "./tables.ts";

export { judgeRights } from "./tables.ts";

/** What the settings leave of the promises. */
export type Promised = Pick<Capabilities, "durability">;

/**
 * Looks at the settings of a server. Rejects with UnsupportedError where one breaks a promise (`mode: "refuse"`), or
 * where the server can never work, and with UnavailableError where it is read-only, for a moment perhaps.
 */
export async function checkSettings(mode: SettingsMode, asking: MySqlAsking): Promise<Promised> {
  const { backend, client } = asking;
  const account = await readAccount(asking);
  const readOnly = readOnlyBy(account);
  if (readOnly !== undefined) {
    const message = `the server takes no writes (${readOnly} is on), as a replica does: connect to its primary`;
    throw new UnavailableError(message, { backend, refused: true });
  }
  enforce(judge(account), mode, backend, client);
  return { durability: durabilityOf(account) };
}

/** Everything that can be learned of a server, whether or not a backend would open on it. */
export async function examineServer(
  plan: TablePlan,
  capabilities: (promised: Promised) => Capabilities,
  asking: MySqlAsking,
): Promise<Examination> {
  const account = await readAccount(asking);
  const tables = await examineTables(plan, asking);
  const there = tables.facts.map(({ name }) => name);
  const connections = connectionsOf(account);
  return examinationOf(
    {
      facts: [...factsOf(account), ...connections.facts, ...tables.facts, ...clockFact(account.clock)],
      capabilities: capabilities({ durability: durabilityOf(account) }),
      leavesOpen: leavesOpen(account),
      judgements: [
        ...judge(account),
        ...(await judgeSource(asking)),
        await judgeTables(asking.client, plan, asking),
        ...(there.length > 0 ? await judgeRights(plan, asking, there) : []),
        ...tables.judgements,
        ...connections.judgements,
      ],
    },
    asking,
  );
}

/** A server that takes writes beside those of the one that it follows. */
async function judgeSource(asking: Asking): Promise<Judgement[]> {
  const rows = await rowsIfAllowed("SHOW REPLICA STATUS", asking);
  if (rows === undefined || rows.length === 0) return [];
  return [
    risk(
      "the server is a replica that takes writes",
      "the server that it follows knows nothing of what is written here: a lock can have a holder on each",
      "connect to its source, or end the replication",
    ),
  ];
}

function connectionsOf(account: Account): { readonly facts: Fact[]; readonly judgements: Judgement[] } {
  const used = account.status("Threads_connected");
  const most = Number(account.variable("max_connections") ?? Number.NaN);
  if (used === undefined || Number.isNaN(most)) return { facts: [], judgements: [] };
  const left = Math.max(0, most - used);
  const ofUser = Number(account.variable("max_user_connections") ?? 0);
  const facts = [
    ...fact("connections", "in use", used, `${used} of ${most}`),
    ...(ofUser > 0 ? fact("connections", "most of this user", ofUser) : []),
  ];
  return { facts, judgements: [judgeLeft(left, "raise max_connections")] };
}

function factsOf(account: Account): Fact[] {
  const { variable } = account;
  const zone = variable("time_zone") === "SYSTEM" ? variable("system_time_zone") : variable("time_zone");
  return [
    ...fact("server", "version", variable("version")),
    ...fact("server", "flavour", variable("version_comment")),
    ...fact("server", "role", readOnlyBy(account) === undefined ? "primary" : "read-only"),
    ...fact("server", "database", account.database),
    ...fact("server", "user", account.user),
    ...fact("server", "character set", variable("character_set_server")),
    ...fact("server", "time zone", zone),
    ...fact("server", "up for s", account.status("Uptime")),
    ...fact("persistence", "innodb_flush_log_at_trx_commit", variable("innodb_flush_log_at_trx_commit")),
    ...fact("persistence", "innodb_doublewrite", variable("innodb_doublewrite")),
    ...fact("persistence", "log_bin", variable("log_bin")),
    ...fact("persistence", "sync_binlog", variable("sync_binlog")),
    ...fact("replication", "binlog_format", variable("binlog_format")),
    ...fact("replication", "Galera nodes", account.status("wsrep_cluster_size") || undefined),
  ];
}

function leavesOpen(account: Account): string[] {
  return leavesOpenOf(durabilityOf(account), {
    powerCut: "A power cut loses acknowledged writes.",
    awaited: waitsForReplica(account)
      ? "A commit waits for a replica, but not for ever: where the replica is late, a failover loses what was " +
        "acknowledged meanwhile."
      : undefined,
  });
}

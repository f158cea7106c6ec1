import type { Capabilities } from "../../../port/index.ts";
import { sizeText } from "../../../base/sizes.ts";
import { fine, judgeClock, risk, wrong, type Judgement } from "../../common/findings.ts";
import type { Account } from "./account.ts";

/** A connection that is ended sooner is ended often, in seconds. */
const shortWait = 30;
/** Values that an application may well have. */
const largeValue = 4 * 2 ** 20;

type Rule = (account: Account) => Judgement | undefined;

const isOn = (account: Account, name: string): boolean => /^(?:on|1|yes)$/i.test(account.variable(name) ?? "");

/** Why it takes no writes; undefined where it does. */
export function readOnlyBy(account: Account): string | undefined {
  return ["super_read_only", "read_only", "innodb_read_only"].find((name) => isOn(account, name));
}

const judgeReadOnly: Rule = (account) => {
  const name = readOnlyBy(account);
  if (name === undefined) return undefined;
  return wrong(`${name} on`, "it takes no writes, as a replica does", "connect to the primary");
};

const judgeFlush: Rule = (account) => {
  const flush = account.variable("innodb_flush_log_at_trx_commit");
  const what = `innodb_flush_log_at_trx_commit ${flush}`;
  switch (flush) {
    case undefined:
      return undefined;
    case "0":
      return wrong(
        what,
        "a server that crashes has lost the last second that it acknowledged: a lock that was held is granted again",
        "set it to 1",
        "asked",
      );
    case "2":
      return risk(what, "a power cut loses the last second of what was acknowledged", "set it to 1");
    default:
      return fine(what, "a commit is on disk before it is acknowledged");
  }
};

const judgeDoublewrite: Rule = (account) => {
  const mode = account.variable("innodb_doublewrite");
  return mode === undefined || !/^(?:off|0|detect_only)$/i.test(mode)
    ? undefined
    : risk(
        `innodb_doublewrite ${mode}`,
        "a power cut can leave pages half written, unless the file system writes each as a whole",
        "set it on",
      );
};

const judgeBinlog: Rule = (account) => {
  if (!isOn(account, "log_bin")) return undefined;
  const format = account.variable("binlog_format");
  if (/^statement$/i.test(format ?? ""))
    return wrong(
      "binlog_format STATEMENT",
      "the server refuses writes at READ COMMITTED, which all of ours are",
      "set it to ROW",
      "always",
    );
  const sync = account.variable("sync_binlog");
  return sync === "1" || sync === undefined
    ? fine(`binlog_format ${format ?? "ROW"}, sync_binlog ${sync ?? 1}`, "the log of replication loses no commit")
    : risk(
        `sync_binlog ${sync}`,
        "a power cut loses commits that the log of replication had not written, though they were acknowledged",
        "set it to 1",
      );
};

const judgeCluster: Rule = (account) => {
  if (isOn(account, "wsrep_on"))
    return risk(
      "wsrep_on (Galera)",
      "a lease is checked by locking a row, which another node does not see: a write may pass there after it was lost",
      "send all instances to one node, and to another one only when that one is gone",
    );
  if ((account.variable("group_replication_group_name") ?? "") === "") return undefined;
  return isOn(account, "group_replication_single_primary_mode")
    ? fine("group replication", "has one primary")
    : wrong(
        "group_replication_single_primary_mode off",
        "a lease is checked by locking a row, which another primary does not see",
        "set it on",
        "asked",
      );
};

/** Whether a commit waits for a replica: semi-synchronous replication, with replicas there. */
export function waitsForReplica(account: Account): boolean {
  const enabled = ["rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"].some((name) => isOn(account, name));
  const clients = account.status("Rpl_semi_sync_source_clients") ?? account.status("Rpl_semi_sync_master_clients") ?? 0;
  return enabled && clients > 0;
}

const judgeReplicas: Rule = (account) => {
  const enabled = ["rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"].some((name) => isOn(account, name));
  if (!enabled) return undefined;
  return waitsForReplica(account)
    ? fine("semi-synchronous replication", "a commit waits for a replica, unless that takes longer than its timeout")
    : risk(
        "semi-synchronous replication without a replica",
        "a commit waits for nobody: a failover loses the last ones",
        "start the replicas",
      );
};

const judgePacket: Rule = (account) => {
  const bytes = Number(account.variable("max_allowed_packet") ?? Number.NaN);
  if (Number.isNaN(bytes)) return undefined;
  const what = `max_allowed_packet ${sizeText(bytes)}`;
  const why = `a value may have ${sizeText(Math.max(0, bytes / 2))} at most`;
  return bytes / 2 < largeValue ? risk(what, why, "raise it") : fine(what, why);
};

const judgeWait: Rule = (account) => {
  const seconds = Number(account.variable("wait_timeout") ?? Infinity);
  if (!(seconds < shortWait)) return undefined;
  return risk(
    `wait_timeout ${seconds}`,
    `the server ends a connection that waits for ${seconds} s; a call that comes then may fail`,
    "raise it; dead connections are found without it",
  );
};

const rules: readonly Rule[] = [
  judgeReadOnly,
  judgeFlush,
  judgeDoublewrite,
  judgeBinlog,
  judgeCluster,
  judgeReplicas,
  judgePacket,
  judgeWait,
  ({ clock }) => judgeClock(clock.aheadMs, clock.errorMs),
];

/** Everything that can be said of a server's settings. */
export function judge(account: Account): Judgement[] {
  return rules.map((rule) => rule(account)).filter((found) => found !== undefined);
}

/** What a write that this server has acknowledged survives. No more is said than is known. */
export function durabilityOf(account: Account): Capabilities["durability"] {
  const flush = account.variable("innodb_flush_log_at_trx_commit");
  if (flush === undefined || flush === "0") return "none";
  const doubtful = [judgeDoublewrite(account), judgeBinlog(account)].some((one) => one?.level === "risk");
  return flush === "2" || doubtful ? "process" : "disk";
}

import type { Capabilities } from "../../../port/index.ts";
import { fine, judgeClock, risk, wrong, type Judgement } from "../../common/findings.ts";
import type { Account } from "./account.ts";

/** The oldest server that knows every statement, as it writes it in `server_version_num`. */
const leastLevel = 120_000;

/** A statement that may take no longer than this is ended now and then, in ms. */
const hasty = 1_000;

type Rule = (account: Account) => Judgement | undefined;

const judgeVersion: Rule = ({ version, level }) =>
  level >= leastLevel
    ? fine(`Postgres ${version}`, "knows every statement that is needed")
    : wrong(`Postgres ${version}`, "it lacks generated columns", "run Postgres 12 or later", "always");

const judgeRole: Rule = ({ standby }) =>
  standby
    ? wrong("the server is a standby", "it takes no writes, and what it knows is late", "connect to its primary")
    : undefined;

const judgeReadOnly: Rule = (account) =>
  account.setting("default_transaction_read_only") === "on"
    ? wrong(
        "default_transaction_read_only on",
        "every write is refused",
        "set it off for this user and database (ALTER ROLE ... IN DATABASE ... SET)",
      )
    : undefined;

const judgeEncoding: Rule = (account) => {
  const encoding = account.setting("server_encoding");
  if (encoding === undefined) return undefined;
  if (encoding === "UTF8") return fine("encoding UTF8", "takes every text");
  return wrong(
    `encoding ${encoding}`,
    "texts that are not of this character set cannot be kept",
    "make a database with ENCODING 'UTF8', and name it in the URL",
    "always",
  );
};

const judgeFlush: Rule = (account) => {
  if (account.setting("fsync") === "off")
    return wrong(
      "fsync off",
      "a power cut, or a crash of the machine, can destroy all that the server holds",
      "set fsync on",
    );
  if (account.setting("full_page_writes") === "off")
    return risk(
      "full_page_writes off",
      "a power cut can leave pages half written, unless the file system writes each as a whole",
      "set full_page_writes on, unless it is ZFS or the like",
    );
  return account.setting("fsync") === undefined ? undefined : fine("fsync on", "what is written is on disk");
};

const judgeCommit: Rule = (account) => {
  const mode = account.setting("synchronous_commit");
  if (mode === undefined) return undefined;
  if (mode !== "off") return fine(`synchronous_commit ${mode}`, "a commit is acknowledged when it is written");
  return wrong(
    "synchronous_commit off",
    "a server that crashes has lost the last commits that it acknowledged: a lock that was held is granted again",
    "set it on for this user: ALTER ROLE ... SET synchronous_commit = on",
    "asked",
  );
};

/** Whether a commit waits for a standby. */
export function waitsForStandby(account: Account): boolean {
  const mode = account.setting("synchronous_commit");
  return (account.setting("synchronous_standby_names") ?? "") !== "" && mode !== "off" && mode !== "local";
}

const judgeStandbys: Rule = (account) => {
  const names = account.setting("synchronous_standby_names") ?? "";
  if (waitsForStandby(account))
    return fine("synchronous standbys", "a failover to one of them loses no commit that was acknowledged");
  if (names !== "")
    return risk(
      `synchronous_commit ${account.setting("synchronous_commit")}`,
      "a commit does not wait for the synchronous standbys: a failover loses the last ones",
      "set it on for this user: ALTER ROLE ... SET synchronous_commit = on",
    );
  if (account.standbys === 0) return undefined;
  return risk(
    `${account.standbys} ${account.standbys === 1 ? "standby" : "standbys"}, none of them synchronous`,
    "a failover loses the last commits that were acknowledged, locks that were granted among them",
    "set synchronous_standby_names, and have failovers go to those servers only",
  );
};

const judgeTimeouts: Rule = (account) => {
  const statement = Number(account.setting("statement_timeout") ?? 0);
  if (statement > 0 && statement < hasty)
    return risk(
      `statement_timeout ${statement} ms`,
      "reads that take longer fail, as they do now and then on a server that is busy",
      "set it to some seconds for this user, or to 0: calls have a timeout of their own",
    );
  const idle = Number(account.setting("idle_session_timeout") ?? 0);
  if (idle > 0)
    return risk(
      `idle_session_timeout ${idle / 1_000} s`,
      "the server ends connections that wait; a call that comes then may fail, and changes are missed meanwhile",
      "set it to 0 for this user; dead connections are found without it",
    );
  return undefined;
};

const judgeAutovacuum: Rule = (account) =>
  account.setting("autovacuum") === "off"
    ? wrong("autovacuum off", "the tables grow with every write, and the server stops in the end", "set autovacuum on")
    : undefined;

const rules: readonly Rule[] = [
  judgeVersion,
  judgeRole,
  judgeReadOnly,
  judgeEncoding,
  judgeFlush,
  judgeCommit,
  judgeStandbys,
  judgeTimeouts,
  judgeAutovacuum,
  ({ clock }) => judgeClock(clock.aheadMs, clock.errorMs),
];

/** Everything that can be said of a server's settings. */
export function judge(account: Account): Judgement[] {
  return rules.map((rule) => rule(account)).filter((found) => found !== undefined);
}

/** What a write that this server has acknowledged survives. No more is said than is known. */
export function durabilityOf(account: Account): Capabilities["durability"] {
  const on = (name: string): boolean => account.setting(name) === "on";
  if ((account.setting("synchronous_commit") ?? "off") === "off") return "none";
  return on("fsync") && on("full_page_writes") ? "disk" : "process";
}

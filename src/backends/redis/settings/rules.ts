import { fine, judgeClock as judgeClockOf, risk, unknown, wrong, type Judgement } from "../../common/findings.ts";
import { missingFrom } from "../signals/notification-flags.ts";
import type { Rule, Subject } from "./finding.ts";
import { judgePersistence, judgeSaving } from "./persistence.ts";
import type { ServerInfo } from "./server-info.ts";

/** The least version of Redis whose commands the scripts use, as `major * 100 + minor`. */
const leastLevel = 602;

/** Above this the memory is as good as full. */
const nearlyFull = 0.9;
/** A replica that was not heard of for longer is behind, in seconds. */
const replicaBehind = 10;

const judgeVersion: Rule = ({ server }) => {
  const name = `${server.flavour} ${server.version}`.trimEnd();
  if (server.level === undefined)
    return unknown(
      "the server's version",
      "the server does not tell it",
      "Redis 6.2 or later is needed, or what is compatible with it",
    );
  if (server.level >= leastLevel) return fine(name, "has every command that is needed");
  return wrong(name, "the scripts need commands of Redis 6.2", "run Redis 6.2 or later, or Valkey", "always");
};

const judgeRole: Rule = ({ server, topology }) => {
  if (server.info("role") === "active-replica" || server.setting("active-replica") === "yes")
    return wrong(
      "active-replica yes",
      "two servers take writes without asking each other: a lock has two holders, and one of two writes is lost",
      "set active-replica no",
      "asked",
    );
  if (server.role !== "replica") return undefined;
  return wrong(
    "the server is a replica",
    "it takes no writes, and what it knows is late",
    topology === "single"
      ? "connect to its primary, or through Sentinel (redis+sentinel://)"
      : "wait for the failover to end",
    "always",
  );
};

const judgeMode: Rule = ({ server, topology }) => {
  const clustered = server.info("cluster_enabled");
  if (topology !== "cluster" && clustered === "1")
    return wrong(
      "cluster-enabled yes",
      "the server is a node of a cluster and knows a part of the keys",
      "connect with redis+cluster://",
      "always",
    );
  return undefined;
};

/** Whether keys may go although nobody deleted them. */
export function evicts(server: ServerInfo): boolean {
  return policyOf(server) !== undefined && policyOf(server) !== "noeviction";
}

export function policyOf(server: ServerInfo): string | undefined {
  if (server.setting("cache_mode") === "true") return "cache_mode true";
  return server.setting("maxmemory-policy") ?? server.info("maxmemory_policy");
}

const judgeEviction: Rule = ({ server, use }) => {
  const policy = policyOf(server);
  if (policy === undefined)
    return use === "cache"
      ? undefined
      : unknown("maxmemory-policy", "the server does not tell whether it evicts", "see that it is noeviction");
  const what = policy.startsWith("cache_mode") ? policy : `maxmemory-policy ${policy}`;
  if (use === "cache") return fine(what, "caches may lose what they hold");
  if (!evicts(server)) return fine(what, "nothing goes that nobody deleted");
  const later = maxMemory(server) === 0 ? " (as soon as maxmemory is set)" : "";
  return wrong(
    what,
    policy.startsWith("volatile")
      ? `locks and records with a ttl go when memory is short: a lock then has two holders${later}`
      : `any record and any lock goes when memory is short: a lock then has two holders${later}`,
    policy.startsWith("cache_mode")
      ? "set cache_mode false, or use this server for caches only (?use=cache)"
      : "set maxmemory-policy noeviction, or use this server for caches only (?use=cache)",
    "asked",
  );
};

function maxMemory(server: ServerInfo): number | undefined {
  const text = server.info("maxmemory") ?? server.setting("maxmemory");
  return text === undefined ? undefined : Number(text);
}

const judgeMemory: Rule = ({ server, use }) => {
  const used = Number(server.info("used_memory"));
  const bound = maxMemory(server);
  if (bound === undefined || Number.isNaN(used)) return undefined;
  if (bound === 0) {
    const system = Number(server.info("total_system_memory") ?? Number.NaN);
    if (!(Number(server.info("used_memory_rss") ?? used) > system * nearlyFull)) return undefined;
    return risk(
      "maxmemory 0",
      "the server has nearly all of the machine's memory, and the system will end it",
      "set maxmemory, and give it more room",
    );
  }
  if (use === "cache" && evicts(server)) return undefined;
  const share = used / bound;
  if (share < nearlyFull) return fine("maxmemory", `${Math.round(share * 100)} % of it are used`);
  const remedy = "raise maxmemory, or delete what is not needed";
  if (share < 1)
    return risk(
      "maxmemory is nearly reached",
      `${Math.floor(share * 100)} % are used; then writes are refused (OOM)`,
      remedy,
    );
  return wrong("maxmemory is reached", "writes are refused (OOM), locks among them", remedy);
};

const judgeReplicas: Rule = ({ server }) => {
  const least = Number(server.setting("min-replicas-to-write") ?? server.setting("min-slaves-to-write") ?? Number.NaN);
  const { replicas } = server;
  const good = replicas.filter(({ online, lagSeconds }) => online && lagSeconds <= replicaBehind);
  if (least > 0 && Number(server.info("min_slaves_good_slaves") ?? good.length) < least)
    return wrong(
      `min-replicas-to-write ${least}`,
      `fewer replicas are there (${good.length}): writes are refused (NOREPLICAS)`,
      "start the replicas, or lower it",
    );
  const late = replicas.find((replica) => !good.includes(replica));
  if (late)
    return risk(
      `replica ${late.node} is ${late.online ? `${late.lagSeconds} s behind` : "not in step"}`,
      "if it takes over now, what it has not heard of is lost",
      "see its log and its network",
    );
  if (replicas.length === 0 || Number.isNaN(least)) return undefined;
  if (least === 0)
    return risk(
      "min-replicas-to-write 0",
      "a primary that is cut off from its replicas goes on acknowledging writes, which are lost when it comes back",
      "set min-replicas-to-write 1 and min-replicas-max-lag 10: that bounds the loss, it does not end it",
    );
  return fine(
    `min-replicas-to-write ${least}`,
    `a primary that is cut off stops taking writes after ${server.setting("min-replicas-max-lag") ?? 10} s`,
  );
};

const judgeTimeout: Rule = ({ server }) => {
  const seconds = Number(server.setting("timeout") ?? 0);
  if (!(seconds > 0)) return undefined;
  return risk(
    `timeout ${seconds}`,
    `the server closes a connection that is idle for ${seconds} s; a call that comes then may fail`,
    "set timeout 0; tcp-keepalive finds dead connections",
  );
};

/** Why a server tells of no changes whatever is set; undefined where it can. */
export function muteOf({ flavour }: ServerInfo): string | undefined {
  return flavour === "Dragonfly" ? "Dragonfly tells of records that have expired, and of no other change" : undefined;
}

/** Whether they can be switched on is not said by a setting: see `rights.ts`. */
const judgeNotifications: Rule = ({ server, notifications }) => {
  const mute = muteOf(server);
  if (mute !== undefined && notifications !== "off")
    return risk("keyspace notifications", `${mute}: watch() is refused; all else works`, "do without watch()");
  if (notifications !== "assume") return undefined;
  const flags = server.setting("notify-keyspace-events");
  if (flags === undefined)
    return unknown("notify-keyspace-events", "the server does not tell whether it notifies", 'see that it has "KA"');
  const what = `notify-keyspace-events "${flags}"`;
  if (missingFrom(flags) === "") return fine(what, "changes are told to watchers");
  return wrong(what, "watch() misses changes", 'set notify-keyspace-events "KA", or open with notifications: "enable"');
};

const judgeCluster: Rule = ({ server, topology }) => {
  if (topology !== "cluster") return undefined;
  if (server.setting("cluster-allow-reads-when-down") === "yes")
    return risk(
      "cluster-allow-reads-when-down yes",
      "a primary that was cut off answers reads from what it knew then",
      "set cluster-allow-reads-when-down no",
    );
  const coverage = server.setting("cluster-require-full-coverage");
  if (coverage === undefined) return undefined;
  return coverage === "yes"
    ? fine("cluster-require-full-coverage yes", "all calls fail while a part of the slots is uncovered")
    : fine("cluster-require-full-coverage no", "while a part of the slots is uncovered, calls on the others go on");
};

const judgeClock: Rule = ({ server }) => {
  const { clockMs, clockErrorMs } = server;
  if (clockMs === undefined)
    return unknown("the server's clock", "TIME is not allowed, and the scripts need it", "allow TIME");
  return judgeClockOf(clockMs, clockErrorMs);
};

const judgeLazyFree: Rule = ({ server }) => {
  const lazy = server.setting("lazyfree-lazy-server-del");
  return lazy === undefined
    ? undefined
    : fine(
        `lazyfree-lazy-server-del ${lazy}`,
        lazy === "yes" ? "large values are freed aside" : "freeing a value of many MiB holds the server up for some ms",
      );
};

const rules: readonly Rule[] = [
  judgeVersion,
  judgeRole,
  judgeMode,
  judgeEviction,
  judgePersistence,
  judgeSaving,
  judgeMemory,
  judgeReplicas,
  judgeNotifications,
  judgeCluster,
  judgeTimeout,
  judgeClock,
  judgeLazyFree,
];

/** Everything that can be said of a server's settings. */
export function judge(subject: Subject): Judgement[] {
  const asked = rules.map((rule) => rule(subject)).filter((found) => found !== undefined);
  return subject.server.configurable ? asked : [...asked, unasked];
}

const unasked: Judgement = unknown(
  "CONFIG GET",
  "it is not allowed, so the settings that INFO does not tell are not known",
  "allow +config|get, or see to the settings yourself",
);

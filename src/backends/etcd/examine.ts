import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { sizeText } from "../../base/sizes.ts";
import { systemTime } from "../../base/time.ts";
import type { Fact } from "../../port/index.ts";
import { fine, findingsOf, risk, timed, unknown, wrong, type Judgement } from "../common/findings.ts";
import type { Examined, Limit } from "../store/store.ts";
import { CallError, type Method, type Servers } from "./client/index.ts";

const status: Method = { path: "Maintenance/Status", asks: "Nothing", gets: "Status" };
const alarms: Method = { path: "Maintenance/Alarm", asks: "Nothing", gets: "Alarms" };
const members: Method = { path: "Cluster/MemberList", asks: "Nothing", gets: "Members" };
const range: Method = { path: "KV/Range", asks: "Range", gets: "Ranged" };

/** A flush that takes longer, in ms, makes heartbeats late, and leaders lost for it. */
const slowFlushMs = 10;
/** So many revisions are a long past. */
const manyRevisions = 100_000;

const leavesOpen = [
  "Records end by each process' wall clock. A lock ends for who has seen it for its ttl, or when the cluster has " +
    "removed it: that rests on clocks that go at one speed, within 1 %.",
  "While most members are away nothing is read or written; what was acknowledged stays.",
  "A cluster that is restored from a snapshot has lost what came after it. Restore it with raised revisions.",
];

/** What can be said of a cluster, by the members that were named. Rejects where none can be reached. */
export async function examineServers(servers: Servers, prefix: string, limit: Limit): Promise<Examined> {
  const facts: Fact[] = [];
  const judgements: Judgement[] = [];
  const all = (await servers.call(members, {}, limit))["members"] as unknown as readonly Member[];
  const raised = (await servers.call(alarms, {}, limit))["alarms"] as unknown as readonly Alarm[] | undefined;
  facts.push({ group: "cluster", name: "members", value: all.length });
  judgements.push(...judgeMembers(all), ...(raised ?? []).map(judgeAlarm));
  for (const url of servers.urls) {
    const group = new URL(url).host;
    try {
      const { version, size, used, leader, header } = (await servers.ask(url, status, limit)) as unknown as Status;
      facts.push({ group, name: "server", value: `etcd ${version}` });
      facts.push({ group, name: "leads", value: header.member === leader });
      facts.push({ group, name: "size", value: size, text: `${sizeText(size)}, ${sizeText(used)} in use` });
      judgements.push(...(await look(servers, url, facts, limit)));
    } catch (error) {
      judgements.push(risk(`${group} cannot be asked`, (error as Error).message, "look whether it runs"));
    }
  }
  judgements.push(await judgePast(servers, prefix, limit));
  const ping = async (): Promise<unknown> => servers.call(range, { key: Buffer.from(`${prefix}!domain`) }, limit);
  const trips = await timed("a read", ping, { most: 50, share: 0.3, time: systemTime, deadline: limit.deadline });
  return { facts, findings: findingsOf(judgements), leavesOpen, roundTrips: [trips] };
}

function judgeMembers(all: readonly Member[]): Judgement[] {
  const voters = all.filter(({ learner }) => !learner).length;
  const what = `${voters} voting member${voters === 1 ? "" : "s"}`;
  if (voters < 3) return [risk(what, "nothing works while one of them is away", "run three or five members")];
  return [fine(what, `it goes on while ${Math.floor((voters - 1) / 2)} of them are away`)];
}

function judgeAlarm({ alarm }: Alarm): Judgement {
  if (alarm === 1) {
    const remedy = "raise the quota, or compact and defragment, and then disarm the alarm";
    return wrong("the alarm NOSPACE is raised", "it takes no more writes, renewals of leases neither", remedy);
  }
  return wrong("the alarm CORRUPT is raised", "the members' data differ", "take the corrupt member out of the cluster");
}

/** How far a member's clock is ahead of this machine's, and how exactly that is known. */
function judgeClock(group: string, aheadMs: number, errorMs: number): Judgement {
  const off = Math.max(0, Math.abs(aheadMs) - errorMs);
  if (off < 500) return fine(`${group}: its clock`, "it agrees with this machine's");
  const by = `${(off / 1_000).toFixed(1)} s ${aheadMs > 0 ? "behind" : "ahead of"}`;
  const what = `this machine's clock is ${by} that of ${group}`;
  const why = "records end by the clock of who looks, too early or too late; locks do not";
  return risk(what, why, "have the machines' clocks set by NTP");
}

/** What a member says of itself by HTTP, where it does on the same port: its clock, its quota, how it flushes. */
async function look(servers: Servers, url: string, facts: Fact[], limit: Limit): Promise<Judgement[]> {
  const group = new URL(url).host;
  const asked = Date.now();
  const said = await get(`${url}/metrics`, servers.tls(), limit).catch(() => undefined);
  if (!said) return [unknown(`${group}: its metrics`, "it shows none on this port", "look at its fsync durations")];
  const found = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(said.text)?.[1]);
  const flush =
    (1_000 * found("etcd_disk_wal_fsync_duration_seconds_sum")) / found("etcd_disk_wal_fsync_duration_seconds_count");
  const quota = found("etcd_server_quota_backend_bytes");
  facts.push({ group, name: "quota", value: quota, text: sizeText(quota) });
  facts.push({ group, name: "flush", value: flush, text: `${flush.toFixed(1)} ms on average` });
  const what = `${group}: a flush of its log takes ${flush.toFixed(1)} ms`;
  // It tells whole seconds, and read its clock between the request and the reply.
  const error = (Date.now() - asked + 1_000) / 2;
  return [
    judgeClock(group, said.date + 500 - (asked + Date.now()) / 2, error),
    flush > slowFlushMs
      ? risk(what, "each commit waits for it, and so do heartbeats", "give it a disk of its own")
      : fine(what, "it is quick"),
  ];
}

function get(url: string, tls: object | undefined, { deadline }: Limit): Promise<{ date: number; text: string }> {
  return new Promise((resolve, reject) => {
    const timeout = Math.max(1, deadline - performance.now());
    const asked = (tls ? secureRequest : request)(url, { ...tls, timeout, agent: false }, (reply) => {
      let text = "";
      reply.setEncoding("utf8");
      reply.on("data", (chunk: string) => (text += chunk));
      reply.on("error", reject);
      reply.on("end", () => {
        if (reply.statusCode === 200) resolve({ date: Date.parse(String(reply.headers.date)), text });
        else reject(new Error(`status ${reply.statusCode}`));
      });
    });
    asked.on("timeout", () => asked.destroy(new Error("it did not answer in time")));
    asked.on("error", reject);
    asked.end();
  });
}

/** Whether the past is ever forgotten. */
async function judgePast(servers: Servers, prefix: string, limit: Limit): Promise<Judgement> {
  const key = Buffer.from(`${prefix}!domain`);
  const { header } = (await servers.call(range, { key }, limit)) as unknown as Status;
  const what = `the past of ${header.revision} revisions`;
  if (header.revision < manyRevisions) return fine(what, "it is short");
  try {
    await servers.call(range, { key, revision: header.revision - manyRevisions }, limit);
  } catch (error) {
    if (error instanceof CallError && error.code === 11) return fine(what, "it is compacted");
    throw error;
  }
  return risk(
    what,
    `${manyRevisions} and more are kept, and take room until the quota is reached`,
    "set auto-compaction-retention",
  );
}

interface Member {
  readonly learner?: number;
}
interface Alarm {
  readonly alarm?: number;
}
interface Status {
  readonly version: string;
  readonly size: number;
  readonly used: number;
  readonly leader: bigint;
  readonly header: { readonly member: bigint; readonly revision: number };
}

import type { Fact } from "../../../port/index.ts";
import { risk, unknown, wrong, type Judgement } from "../../common/findings.ts";
import { reachablePrimaries } from "../reachable.ts";
import { RedisFailure, type Node, type Router } from "../router.ts";
import { ask, fieldsOf, pairsOf, textOf, within, type Asking } from "./ask.ts";
import type { ServerInfo } from "./server-info.ts";

/** How the servers are arranged, and what is wrong with that. */
export interface Arrangement {
  readonly facts: readonly Fact[];
  readonly judgements: readonly Judgement[];
}

/** All slots of a cluster. */
const allSlots = 16_384;

export async function readArrangement(
  router: Router,
  servers: readonly ServerInfo[],
  asking: Asking,
): Promise<Arrangement> {
  const seen = { single: singleArrangement, sentinel: sentinelArrangement, cluster: clusterArrangement };
  const { facts, judgements } = await seen[router.topology](router, servers, asking);
  const named = servers.flatMap((server) => nodeFacts(server, facts.get(server.node)));
  const others = [...facts].filter(([name]) => !servers.some(({ node }) => node === name));
  return {
    facts: [...others.map(([name, value]): Fact => ({ group: "topology", name, value })), ...named],
    judgements,
  };
}

interface Found {
  /** By name; what is under a primary's name is said beside its role. */
  readonly facts: ReadonlyMap<string, string>;
  readonly judgements: readonly Judgement[];
}

async function singleArrangement(): Promise<Found> {
  return { facts: new Map([["kind", "one server"]]), judgements: [] };
}

async function sentinelArrangement(router: Router, _: readonly ServerInfo[], asking: Asking): Promise<Found> {
  const facts = new Map([["kind", "Sentinel"]]);
  const asked = router.sentinels?.();
  if (!asked) return { facts, judgements: [] };
  const { master, nodes } = asked;
  facts.set("master", master);
  const judgements: Judgement[] = [];
  const views = await Promise.all(nodes.map(async (node) => ({ node, view: await viewOf(node, master, asking) })));
  for (const { node, view } of views) facts.set(`sentinel ${node.id}`, view ? "answers" : "does not answer");
  const view = views.find((one) => one.view !== undefined)?.view;
  if (!view)
    return {
      facts,
      judgements: [unknown("the sentinels", "none of them tells of this master", "allow SENTINEL MASTER")],
    };
  const quorum = Number(view.get("quorum") ?? 0);
  const known = Number(view.get("num-other-sentinels") ?? 0) + 1;
  facts.set("quorum", `${quorum} of ${known} sentinels`);
  facts.set("failover after", `${Number(view.get("down-after-milliseconds") ?? 0) / 1000} s without an answer`);
  const away = views.filter((one) => one.view === undefined).length;
  const majority = Math.floor(known / 2) + 1;
  if (known < 3)
    judgements.push(
      risk(
        `${known} sentinel${known === 1 ? "" : "s"}`,
        "when one dies, nobody may start a failover",
        "run three, on machines of their own",
      ),
    );
  if (views.length - away < Math.max(quorum, majority) && away > 0)
    judgements.push(
      wrong(`${away} of ${views.length} sentinels do not answer`, "there are too few for a failover", "start them"),
    );
  else if (away > 0)
    judgements.push(
      risk(
        `${away} of ${views.length} sentinels do not answer`,
        "the next one that dies may leave too few for a failover",
        "start them",
      ),
    );
  if (quorum * 2 <= known && known >= 3)
    judgements.push(
      risk(
        `quorum ${quorum} of ${known}`,
        "a minority of the sentinels may call the primary down",
        `set the quorum to ${majority}`,
      ),
    );
  if (Number(view.get("num-slaves") ?? 0) === 0)
    judgements.push(risk("no replica", "there is nobody to take over", "add a replica"));
  return { facts, judgements };
}

/** What a sentinel says of the master; undefined where it does not. */
async function viewOf(node: Node, master: string, asking: Asking): Promise<Map<string, string> | undefined> {
  try {
    const reply = await within(node.send(["SENTINEL", "MASTER", master]), asking);
    return pairsOf(reply);
  } catch (error) {
    if (error instanceof RedisFailure) return undefined;
    throw error;
  }
}

async function clusterArrangement(router: Router, servers: readonly ServerInfo[], asking: Asking): Promise<Found> {
  const facts = new Map([["kind", "Cluster"]]);
  const judgements: Judgement[] = [];
  const [node] = await within(reachablePrimaries(router, asking.deadline), asking);
  if (!node) return { facts, judgements };
  const state = fieldsOf(textOf(await ask(node.send(["CLUSTER", "INFO"]), asking)));
  const covered = Number(state.get("cluster_slots_ok") ?? Number.NaN);
  if (state.size === 0) judgements.push(unknown("CLUSTER INFO", "it is not allowed", "allow +cluster|info"));
  else {
    facts.set("state", state.get("cluster_state") ?? "");
    facts.set("slots covered", `${covered} of ${allSlots}`);
    if (covered < allSlots)
      judgements.push(
        wrong(
          `${allSlots - covered} slots are not covered`,
          "calls on their keys fail, and all calls with cluster-require-full-coverage",
          "bring their primaries back, or run redis-cli --cluster fix",
        ),
      );
    else if (state.get("cluster_state") !== "ok")
      judgements.push(wrong(`cluster_state ${state.get("cluster_state")}`, "calls fail", "see the logs of its nodes"));
  }
  const table = textOf(await ask(node.send(["CLUSTER", "NODES"]), asking));
  const primaries = slotsOf(table);
  for (const [name, slots] of primaries) facts.set(name, `slots ${slots}`);
  const away = primaries.size - servers.length;
  if (away > 0)
    judgements.push(
      wrong(`${away} of ${primaries.size} primaries cannot be reached`, "calls on their keys fail", "bring them back"),
    );
  for (const { node: name, replicas } of servers) {
    if (replicas.length === 0)
      judgements.push(risk(`${name} has no replica`, "when it dies, its slots are away", "add a replica"));
  }
  for (const name of failedOf(table))
    judgements.push(
      risk(`${name} does not answer`, "the cluster has marked it as failed", "start it, or have it forgotten"),
    );
  return { facts, judgements };
}

/** Primaries and their slots, as CLUSTER NODES shows them. */
function slotsOf(table: string): Map<string, string> {
  const slots = new Map<string, string>();
  for (const line of table.split("\n")) {
    const [, address = "", flags = "", , , , , , ...ranges] = line.trim().split(" ");
    const own = ranges.filter((range) => !range.startsWith("["));
    if (flags.includes("master") && own.length > 0) slots.set(addressOf(address), own.join(", "));
  }
  return slots;
}

function failedOf(table: string): string[] {
  return table
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , flags = ""]) => /\bfail\b/.test(flags.replace("fail?", "")))
    .map(([, address = ""]) => addressOf(address));
}

/** `10.0.0.1:6379@16379,name` without what follows the port. */
function addressOf(address: string): string {
  return address.split("@", 1)[0] ?? address;
}

function nodeFacts(server: ServerInfo, beside: string | undefined): Fact[] {
  const role = server.role ?? "role unknown";
  const facts: Fact[] = [
    { group: "topology", name: server.node, value: beside === undefined ? role : `${role}, ${beside}` },
  ];
  for (const { node, online, lagSeconds, behindBytes } of server.replicas) {
    const how = online ? `${behindBytes} bytes behind, heard of ${lagSeconds} s ago` : "not in step";
    facts.push({ group: "topology", name: node, value: `replica of ${server.node}, ${how}` });
  }
  return facts;
}

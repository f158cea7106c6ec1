import type { Capabilities, Examination, RoundTrips } from "../../../port/index.ts";
import { findingsOf, timed, type Judgement } from "../../common/findings.ts";
import { reachablePrimaries } from "../reachable.ts";
import type { Router } from "../router.ts";
import { within, type Asking } from "./ask.ts";
import { judgeServer, readServers, traitsOf, type ServerTraits, type SettingsTerms } from "./check.ts";
import { factsOf } from "./facts.ts";
import { leavesOpen } from "./leaves-open.ts";
import { judgeRights } from "./rights.ts";
import { readArrangement } from "./topology.ts";

/** How often each primary is pinged. */
const pings = 50;

/**
 * Everything that can be learned of the servers behind a router that is ready, whether or not a backend would open on
 * them. `capabilities` says what the backend promises on servers with such traits, which tell of changes or not.
 * Rejects with UnavailableError.
 */
export async function examineServers(
  router: Router,
  terms: SettingsTerms,
  capabilities: (traits: ServerTraits, watches: boolean) => Capabilities,
  asking: Asking,
): Promise<Examination> {
  const servers = await readServers(router, asking);
  const traits = traitsOf(servers);
  const told: SettingsTerms = traits.mute === undefined ? terms : { ...terms, notifications: "off" };
  const [arrangement, rights] = await Promise.all([
    readArrangement(router, servers, asking),
    judgeRights(router, told, asking),
  ]);
  const several = servers.length > 1;
  const judged = servers.flatMap((server) =>
    judgeServer(server, router.topology, terms).map((judgement): Judged => ({ ...judgement, node: server.node })),
  );
  const findings = [
    ...(several ? gathered(judged, servers.length) : judged),
    ...arrangement.judgements,
    ...rights.judgements,
  ];
  const nodes = await within(reachablePrimaries(router, asking.deadline), asking);
  const roundTrips: RoundTrips[] = [];
  for (const [i, node] of nodes.entries()) {
    const ping = async (): Promise<unknown> => within(node.send(["PING"]), asking);
    roundTrips.push(await timed(node.id, ping, { most: pings, share: 0.8 / (nodes.length - i), ...asking }));
  }
  return {
    facts: [...factsOf(servers), ...arrangement.facts],
    capabilities: capabilities(traits, rights.watches),
    leavesOpen: leavesOpen(servers, router.topology, told),
    findings: findingsOf(findings),
    roundTrips,
  };
}

type Judged = Judgement & { readonly node: string };

/** What is the same of every server is said once, the rest with the server's name. */
function gathered(judged: readonly Judged[], count: number): Judgement[] {
  const alike = new Map<string, Judged[]>();
  for (const one of judged) {
    const text = JSON.stringify([one.level, one.what, one.why]);
    const same = alike.get(text);
    if (same) same.push(one);
    else alike.set(text, [one]);
  }
  return [...alike.values()].flatMap((same) =>
    same.length === count ? same.slice(0, 1) : same.map((one) => ({ ...one, what: `${one.node}: ${one.what}` })),
  );
}

import { UnavailableError, UnsupportedError } from "../../../base/errors.ts";
import type { Capabilities } from "../../../port/index.ts";
import { inOneLine, settingsHint, warnOnce, type Judgement, type SettingsMode } from "../../common/findings.ts";
import { reachablePrimaries } from "../reachable.ts";
import type { Router, Topology } from "../router.ts";
import { within, type Asking } from "./ask.ts";
import type { Subject, Use } from "./finding.ts";
import { durabilityOf } from "./persistence.ts";
import { evicts, judge, muteOf } from "./rules.ts";
import { readServer, type Flavour, type ServerInfo } from "./server-info.ts";

/** How a backend was opened, as far as the server's settings matter. */
export interface SettingsTerms {
  /** Whether settings that break promises refuse to open, or are told as a warning of the process. */
  readonly settings: SettingsMode;
  /** `cache`: the server may evict and lose what it holds; locks are advisory then. */
  readonly use: Use;
  readonly notifications: Subject["notifications"];
  /** What physical keys begin with. */
  readonly prefix: string;
  /** The number of the database that they are in. */
  readonly database: number;
}

/** What a backend has to know of the servers behind it. */
export interface ServerTraits {
  readonly flavour: Flavour;
  /** Of the primary, or of the cluster's oldest one. */
  readonly version: string;
  /** What the settings leave of the promises. */
  readonly promises: Pick<Capabilities, "exclusion" | "durability" | "stamps">;
  /** Whether a script may use keys that it was not given. */
  readonly undeclaredKeys: boolean;
  /** Why changes cannot be told whatever is set; undefined where they can. */
  readonly mute: string | undefined;
  /** Whether CONFIG is allowed, as far as is known. */
  readonly configurable: boolean;
}

/**
 * Looks at the settings of every primary: one round trip each. Rejects with UnsupportedError where a setting breaks a
 * promise (`settings: "refuse"`) or where the server can never work, UnavailableError where it does not answer.
 */
export async function checkSettings(router: Router, terms: SettingsTerms, asking: Asking): Promise<ServerTraits> {
  const servers = await readServers(router, asking);
  const found = servers.map((server) => ({ server, judgements: judgeServer(server, router.topology, terms) }));
  const broken = found.flatMap(({ server, judgements }) =>
    judgements.filter(({ refuses }) => refuses !== "never").map((judgement) => ({ server, judgement })),
  );
  const refused = broken.filter(({ judgement }) => judgement.refuses === "always" || terms.settings === "refuse");
  if (refused.length > 0) throw refusal(refused, router.topology);
  for (const { server, judgement } of broken) warnOnce(router, `${server.node}: ${inOneLine(judgement)}`);
  return traitsOf(servers);
}

/** Every primary's own account; of those of a cluster that are away there is none. */
export async function readServers(router: Router, asking: Asking): Promise<ServerInfo[]> {
  const nodes = await within(reachablePrimaries(router, asking.deadline), asking);
  return Promise.all(nodes.map(async (node) => readServer(node, asking)));
}

export function judgeServer(server: ServerInfo, topology: Topology, terms: SettingsTerms): Judgement[] {
  return judge({ server, topology, use: terms.use, notifications: terms.notifications });
}

/** What servers promise together: no more than the weakest of them. */
export function traitsOf(servers: readonly ServerInfo[]): ServerTraits {
  const oldest = servers.toSorted((a, b) => (a.level ?? 0) - (b.level ?? 0))[0];
  const kept = new Set(servers.map(durabilityOf));
  const undeclaredKeys = servers.every(({ flavour }) => flavour !== "Dragonfly");
  return {
    flavour: oldest?.flavour ?? "Redis",
    version: oldest?.version ?? "",
    promises: {
      exclusion: servers.some(evicts) ? "advisory" : "primary",
      durability: kept.has("none") ? "none" : kept.has("process") ? "process" : "disk",
      stamps: undeclaredKeys ? "atomic" : "apart",
    },
    undeclaredKeys,
    mute: servers.map(muteOf).find((why) => why !== undefined),
    configurable: servers.every(({ configurable }) => configurable),
  };
}

interface Broken {
  readonly server: ServerInfo;
  readonly judgement: Judgement;
}

function refusal(refused: readonly Broken[], topology: Topology): Error {
  const lines = refused.map(({ server, judgement }) => `${server.node}: ${inOneLine(judgement)}`);
  const moment = refused.every(({ server }) => server.role === "replica") && topology !== "single";
  if (moment) return new UnavailableError(lines.join("; "), { backend: "redis" });
  const chosen = refused.every(({ judgement }) => judgement.refuses === "asked");
  return new UnsupportedError(`${lines.join("; ")}${chosen ? settingsHint : ""}`, { backend: "redis" });
}

import { sizeText } from "../../../base/sizes.ts";
import type { Fact } from "../../../port/index.ts";
import { persistenceOf } from "./persistence.ts";
import { policyOf } from "./rules.ts";
import type { ServerInfo } from "./server-info.ts";

/** What servers tell of themselves: what is the same of all of them once, the rest by server. */
export function factsOf(servers: readonly ServerInfo[]): Fact[] {
  return groups.flatMap(([title, read]) => {
    const told = servers.map((server) => new Map(read(server).map((one) => [one[0], one])));
    const names = new Set(told.flatMap((facts) => [...facts.keys()]));
    const alike = [...names].filter((name) => new Set(told.map((facts) => facts.get(name)?.[1])).size === 1);
    const shared = alike.flatMap((name) => factOf(title, told[0]?.get(name)));
    const others = servers.flatMap(({ node }, i) =>
      [...names]
        .filter((name) => !alike.includes(name))
        .flatMap((name) => factOf(`${title} ${node}`, told[i]?.get(name))),
    );
    return [...shared, ...others];
  });
}

function factOf(group: string, told: Told | undefined): Fact[] {
  if (told?.[1] === undefined) return [];
  const [name, value, text] = told;
  return [{ group, name, value, ...(text !== undefined && { text }) }];
}

type Told = readonly [name: string, value: Fact["value"] | undefined, text?: string | undefined];

const groups: readonly (readonly [title: string, read: (server: ServerInfo) => Told[]])[] = [
  ["server", aboutServer],
  ["persistence", aboutPersistence],
  ["memory", aboutMemory],
  ["clock", aboutClock],
];

function aboutServer({ flavour, version, level, info }: ServerInfo): Told[] {
  const uptime = numberOf(info("uptime_in_seconds"));
  const compatible =
    flavour === "Redis" || level === undefined ? undefined : `Redis ${Math.floor(level / 100)}.${level % 100}`;
  return [
    ["flavour", flavour],
    ["version", version === "" ? undefined : version],
    ["compatible with", compatible],
    ["system", info("os")],
    ["up for", uptime, uptime === undefined ? undefined : durationText(uptime)],
    ["clients", numberOf(info("connected_clients"))],
  ];
}

function aboutPersistence(server: ServerInfo): Told[] {
  const { setting, info } = server;
  const kind = persistenceOf(server).kind;
  const words = { log: "append-only file", snapshots: "snapshots", none: "none", unknown: "not told" };
  const saved = numberOf(info("rdb_last_save_time"));
  return [
    ["kind", words[kind]],
    ["appendfsync", kind === "log" ? setting("appendfsync") : undefined],
    ["save", kind === "none" || setting("save") === "" ? undefined : setting("save")],
    [
      "last snapshot",
      kind === "snapshots" ? saved : undefined,
      saved === undefined ? undefined : new Date(saved * 1000).toISOString(),
    ],
  ];
}

function aboutMemory(server: ServerInfo): Told[] {
  const { info, setting } = server;
  const bound = numberOf(info("maxmemory") ?? setting("maxmemory"));
  return [
    ["used", ...bytes(info("used_memory"))],
    ["maxmemory", bound, bound === 0 ? "not set" : bound === undefined ? undefined : sizeText(bound)],
    ["maxmemory-policy", policyOf(server)],
    ["evicted keys", numberOf(info("evicted_keys"))],
  ];
}

function aboutClock({ clockMs, clockErrorMs }: ServerInfo): Told[] {
  if (clockMs === undefined) return [];
  const sign = clockMs < 0 ? "-" : "+";
  const off = Math.round(clockMs * 1000) / 1000;
  return [["difference ms", off, `${sign}${Math.abs(clockMs).toFixed(1)}, give or take ${clockErrorMs.toFixed(1)}`]];
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return text === undefined || text === "" || Number.isNaN(number) ? undefined : number;
}

function bytes(text: string | undefined): [value: number | undefined, text?: string] {
  const value = numberOf(text);
  return value === undefined ? [undefined] : [value, sizeText(value)];
}

function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

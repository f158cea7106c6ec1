import { sizeText } from "../../base/sizes.ts";
import type { Time } from "../../base/time.ts";
import type { Fact, RoundTrips } from "../../port/index.ts";
import { findingsOf, fine, judgeClock, risk, timed, unknown, wrong, type Judgement } from "../common/findings.ts";
import type { Examined, Limit } from "../store/store.ts";
import type { MetaClient, ServerConnection } from "./client/index.ts";

/** How often each server is pinged. */
const pings = 50;
/** Above this the memory, or the connections, are as good as used up. */
const nearlyFull = 0.9;
/** A server that has run for less was started of late, in s. */
const young = 3_600;
/** Items may be smaller than usual from here on, in bytes. */
const usualItem = 1024 * 1024;

/** What memcached leaves open, however it is set. */
const leavesOpen: readonly string[] = [
  "Nothing is on disk: a server that is started anew has forgotten its locks and records.",
  "A server whose memory is full evicts what was not used for longest: an evicted lock is granted to a second holder.",
  "Each client ends leases and entries by its own clock: keep the machines' clocks together.",
];

/** What one server tells. */
interface Told {
  readonly name: string;
  readonly stats: ReadonlyMap<string, string>;
  readonly settings: ReadonlyMap<string, string>;
}

/** What can be learned of the servers, of those that cannot be reached too. Rejects where none can. */
export async function examineServers(client: MetaClient, time: Time, limit: Limit): Promise<Examined> {
  const facts: Fact[] = [];
  const judged: Judgement[] = [];
  const roundTrips: RoundTrips[] = [];
  const { connections } = client;
  for (const [i, connection] of connections.entries()) {
    const { name } = connection.server;
    try {
      const before = time.wall();
      const told = await ask(client, connection, limit);
      facts.push(...factsOf(told));
      const clock = Number(told.stats.get("time")) * 1_000;
      const all = [...judge(told), judgeClock(clock - before, 1_000 + time.wall() - before)];
      judged.push(...all.map((one) => (connections.length > 1 ? { ...one, what: `${name}: ${one.what}` } : one)));
      const share = 0.8 / (connections.length - i);
      const ping = async (): Promise<void> => client.ping(connection, limit);
      roundTrips.push(await timed(name, ping, { most: pings, share, time, deadline: limit.deadline }));
    } catch (error) {
      const why = `its keys cannot be read or written: ${error instanceof Error ? error.message : String(error)}`;
      judged.push(wrong(`${name} cannot be reached`, why, "start it, or take it from the list of all clients at once"));
    }
  }
  if (roundTrips.length === 0) await (connections[0] as ServerConnection).connected(limit);
  return { facts, findings: findingsOf(judged), leavesOpen, roundTrips };
}

async function ask(client: MetaClient, connection: ServerConnection, limit: Limit): Promise<Told> {
  const [stats, settings] = await Promise.all([
    client.stats(connection, "", limit),
    client.stats(connection, " settings", limit),
  ]);
  return { name: connection.server.name, stats, settings };
}

function factsOf({ name: group, stats, settings }: Told): Fact[] {
  const number = (name: string, from = stats): number => Number(from.get(name) ?? Number.NaN);
  const fact = (name: string, value: number | string, text?: string): Fact => ({ group, name, value, text });
  const bytes = (name: string, value: number): Fact => fact(name, value, sizeText(value));
  return [
    fact("version", stats.get("version") ?? "unknown"),
    fact("up for", number("uptime"), durationText(number("uptime"))),
    bytes("memory used", number("bytes")),
    bytes("memory", number("limit_maxbytes")),
    bytes("largest item", number("item_size_max", settings)),
    fact("items", number("curr_items")),
    fact("evicted so far", number("evictions")),
    fact("connections", number("curr_connections"), `${number("curr_connections")} of ${number("max_connections")}`),
  ];
}

function judge({ stats, settings }: Told): Judgement[] {
  const number = (name: string, from = stats): number => Number(from.get(name) ?? Number.NaN);
  return [
    judgeEvictions(number("evictions"), settings.get("evictions")),
    judgeMemory(number("bytes"), number("limit_maxbytes")),
    judgeAge(number("uptime")),
    judgeItems(number("item_size_max", settings)),
    judgeConnections(number("curr_connections"), number("max_connections"), number("listen_disabled_num")),
  ];
}

function judgeEvictions(evicted: number, evicts: string | undefined): Judgement {
  if (Number.isNaN(evicted)) return unknown("evictions", "the server does not tell them", "watch its memory");
  if (evicts === "off") {
    const why = "with -M a full server refuses writes, and drops the record that was to be overwritten";
    return risk("evictions are off", why, "give it memory (-m), and watch how much is used");
  }
  if (evicted === 0) return fine("no evictions", "nothing went before its time since the server was started");
  const why = "records and locks went before their time: an evicted lock is granted again while it is held";
  return risk(`${evicted} evictions`, why, "give it more memory (-m), or keep caches on servers of their own");
}

function judgeMemory(used: number, bound: number): Judgement {
  const what = `${sizeText(used)} of ${sizeText(bound)} are used`;
  if (!(used > bound * nearlyFull)) return fine(what, "there is room");
  return risk(what, "what was not used for longest is evicted", "give it more memory (-m)");
}

function judgeAge(uptime: number): Judgement {
  const what = `the server was started ${durationText(uptime)} ago`;
  if (uptime >= young) return fine(what, "it has not been started anew of late");
  return risk(
    what,
    "what it held before is gone, locks too",
    "where nobody has started it on purpose, find out what ended it",
  );
}

function judgeItems(largest: number): Judgement {
  const what = `items have at most ${sizeText(largest)}`;
  if (largest >= usualItem) return fine(what, "larger values are refused before they are sent");
  return risk(what, "larger values are refused", "start it with a larger -I, or keep values small");
}

function judgeConnections(open: number, most: number, refused: number): Judgement {
  const what = `${open} of ${most} connections are open`;
  if (refused > 0) return risk(what, `the limit was met ${refused} times since the start`, "start it with a larger -c");
  if (!(open > most * nearlyFull)) return fine(what, "there is room; each process needs one");
  return risk(what, "further clients will wait until others have left", "start it with a larger -c");
}

function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} hours` : `${Math.round(seconds / 86_400)} days`;
}

import { findViolation } from "./linearizable.ts";
import type { GuardedWrite, History, Hold, RegisterCall, TimedCall } from "./history.ts";

/** What the store held at the end: the identity of each record's value, null where absent. */
export type FinalState = ReadonlyMap<string, string | null>;

/** What a history is measured by. */
export interface Promised {
  /**
   * `all`: nothing that was acknowledged is lost. `fences`: records may go back to an earlier state, as after a failover to a
   * replica that had not heard of everything; what is left is that fences rise and no late write is accepted. Default `all`.
   */
  readonly keeps?: "all" | "fences";
}

/** Every violation of the contract in a history; empty where there is none. */
export function checkHistory(history: History, final: FinalState, { keeps = "all" }: Promised = {}): string[] {
  return [
    ...(keeps === "all" ? checkRegisters(history.calls, final) : []),
    ...checkHolds(history.holds, { keeps }),
    ...checkGuardedWrites(history.writes, final, { keeps }),
  ];
}

/** Calls that took longer than they may: `limit` ms for those on records, `slack` more for all. */
export function checkDeadlines(history: History, limit: number, slack: number): string[] {
  const all: readonly TimedCall[] = [
    ...history.calls.map(({ action, start, end }) => ({ what: action.do, limit, start, end })),
    ...history.writes.map(({ start, end }) => ({ what: "guarded write", limit, start, end })),
    ...history.timed,
  ];
  return all.flatMap(({ what, limit: own, start, end }) => {
    const ms = end === undefined ? 0 : Number(end - start) / 1e6;
    return ms > own + slack ? [`${what} took ${ms.toFixed(0)} ms, and may take ${own}`] : [];
  });
}

/** Each record is linearizable, and ends with the value of an acknowledged or unknown write. */
export function checkRegisters(calls: readonly RegisterCall[], final: FinalState): string[] {
  const problems: string[] = [];
  for (const [key, own] of groupBy(calls, (call) => call.key)) {
    const problem = findViolation(own, null, final.get(key));
    if (problem) problems.push(`record ${key} is not linearizable: ${problem}`);
  }
  return problems;
}

/** No two holders at one instant and fences that rise from hold to hold; where records may be lost, grants that rise. */
export function checkHolds(holds: readonly Hold[], { keeps = "all" }: Promised = {}): string[] {
  // One that was never seen to be held proves nothing: its holder may have been paused past its lease before it noted the start.
  const seen = [...groupBy(holds, (hold) => hold.key).values()].map((own) =>
    own.filter(({ from, until }) => until > from),
  );
  return seen.flatMap(keeps === "all" ? checkTurns : checkGrants);
}

function checkTurns(holds: readonly Hold[]): string[] {
  const problems: string[] = [];
  let latest: Hold | undefined;
  for (const hold of [...holds].sort((a, b) => (a.from < b.from ? -1 : 1))) {
    if (latest && hold.from < latest.until)
      problems.push(`lock ${hold.key}: ${latest.holder} and ${hold.holder} held it at one time`);
    // A hold that only began while another ended may have been granted before it: compare what was one after the other.
    if (latest && hold.from >= latest.until && hold.fence <= latest.fence && hold.from > latest.from)
      problems.push(`lock ${hold.key}: fence ${hold.fence} came after ${latest.fence}`);
    if (!latest || hold.until > latest.until) latest = hold;
  }
  return problems;
}

/**
 * A holder whose grant was lost with a server does not know it until its next renewal: it may first be told of its grant, or
 * hand it on in its process, when another holds a later one. So only a grant that was asked for later must be higher.
 */
function checkGrants(holds: readonly Hold[]): string[] {
  return holds
    .filter(({ fence }) => !isHandedOn(fence))
    .flatMap((hold) => {
      const earlier = holds.find(({ from, fence }) => from <= hold.asked && fence >= hold.fence);
      return earlier ? [`lock ${hold.key}: fence ${hold.fence} was asked for after ${earlier.fence} was held`] : [];
    });
}

/** Whether a fence tells of a turn in a process, under a grant that the process had already. */
function isHandedOn(fence: bigint): boolean {
  return (fence & 1023n) !== 0n;
}

/**
 * Guarded writes of a record form one chain, made in the order of their fences: so no write of an earlier holder took effect
 * after one of a later. Every acknowledged write is in the chain, unless records may be lost.
 */
export function checkGuardedWrites(
  writes: readonly GuardedWrite[],
  final: FinalState,
  { keeps = "all" }: Promised = {},
): string[] {
  const problems: string[] = [];
  for (const [key, own] of groupBy(writes, (write) => write.key)) {
    const byId = new Map(own.map((write) => [write.id, write]));
    const chain: GuardedWrite[] = [];
    let at = final.get(key) ?? null;
    while (at !== null) {
      const write = byId.get(at);
      if (!write) {
        problems.push(`record ${key}: ${at} was never written`);
        break;
      }
      chain.push(write);
      at = write.previous ?? null;
    }
    chain.reverse();
    const inChain = new Set(chain);
    for (const write of own) {
      if (keeps === "all" && write.outcome === "ok" && !inChain.has(write))
        problems.push(`record ${key}: acknowledged write ${write.id} was lost`);
      if ((write.outcome === "fenced" || write.outcome === "failed") && inChain.has(write)) {
        problems.push(`record ${key}: write ${write.id} was refused and took effect`);
      }
    }
    for (let i = 1; i < chain.length; i++) {
      const [before, after] = [chain[i - 1] as GuardedWrite, chain[i] as GuardedWrite];
      if (after.fence < before.fence)
        problems.push(`record ${key}: a late write under fence ${after.fence} came after ${before.fence}`);
    }
  }
  return problems;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

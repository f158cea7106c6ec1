import type { Logged } from "./kills-log.ts";

/** What is wrong with what was told of the counters, and with what they hold at the end. */
export function checkCounters(entries: readonly Logged[], final: ReadonlyMap<string, number>): string[] {
  const wrong: string[] = [];
  const byCounter = new Map<string, Logged[]>();
  for (const entry of entries) {
    const list = byCounter.get(entry.counter);
    if (list) list.push(entry);
    else byCounter.set(entry.counter, [entry]);
  }
  for (const [counter, list] of byCounter) wrong.push(...checkCounter(counter, list, final.get(counter) ?? 0));
  return wrong;
}

function checkCounter(counter: string, entries: readonly Logged[], final: number): string[] {
  const wrong: string[] = [];
  const given = new Set<number>();
  const acknowledged = entries.filter(({ did }) => did === "increment");
  for (const { value } of acknowledged) {
    if (given.has(value)) wrong.push(`${counter}: ${value} was given twice: an acknowledged increment is lost`);
    given.add(value);
    if (value > final) wrong.push(`${counter}: ${value} was acknowledged, at the end it is ${final}`);
  }
  // What was acknowledged before a call began must be seen by it.
  const ends = acknowledged.toSorted((a, b) => compare(a.end, b.end));
  let next = 0;
  let highest = 0;
  for (const entry of entries.toSorted((a, b) => compare(a.begin, b.begin))) {
    for (; next < ends.length && (ends[next] as Logged).end < entry.begin; next++) {
      highest = Math.max(highest, (ends[next] as Logged).value);
    }
    const seen = entry.did === "load" ? entry.value : entry.value - 1;
    if (seen < highest) wrong.push(`${counter}: ${entry.did} saw ${seen} after ${highest} was acknowledged`);
  }
  return wrong;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

import type { Told } from "./child.ts";

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** What several processes did at the same time. */
export interface Figures {
  readonly perSecond: number;
  readonly done: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

export function figuresOf(told: readonly Told[]): Figures {
  const latencies = told.flatMap((one) => one.latencies).toSorted((a, b) => a - b);
  const failed: Record<string, number> = {};
  for (const one of told)
    for (const [code, count] of Object.entries(one.failed)) failed[code] = (failed[code] ?? 0) + count;
  return {
    perSecond: (1_000 * latencies.length) / Math.max(...told.map(({ tookMs }) => tookMs)),
    done: latencies.length,
    failed,
    meanMs: latencies.reduce((sum, one) => sum + one, 0) / latencies.length,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] as number,
    longestMs: latencies.at(-1) as number,
  };
}

export function line(name: string, { perSecond, done, failed, meanMs, p99Ms, longestMs }: Figures): string {
  const codes = Object.entries(failed).map(([code, count]) => `${count} ${code}`);
  const failures = codes.length === 0 ? "0 failed" : codes.join(", ");
  return (
    `  ${name.padEnd(34)} ${perSecond.toFixed(0).padStart(7)}/s  ${done} done, ${failures}; mean ${meanMs.toFixed(1)} ms, ` +
    `p99 ${p99Ms.toFixed(1)} (${(p99Ms / meanMs).toFixed(1)}x), longest ${longestMs.toFixed(1)}`
  );
}

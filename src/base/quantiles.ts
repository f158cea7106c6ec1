/** How often, and how long: what becomes of measured durations. */
export interface Quantiles {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p99: number;
}

/** Of durations in any order, in their unit. All 0 where there are none. */
export function quantilesOf(durations: readonly number[]): Quantiles {
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, min: at(0), median: at(0.5), p99: at(0.99) };
}

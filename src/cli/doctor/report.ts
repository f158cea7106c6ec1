import type { Capabilities, Examined, Fact, Finding, RoundTrips } from "../../entries/index.ts";

/** What `holdfast doctor --json` prints. */
export interface DoctorReport {
  readonly url: string;
  /** Whether nothing is set wrong. */
  readonly ok: boolean;
  readonly backend: string;
  /** By group and name. */
  readonly facts: Readonly<Record<string, Readonly<Record<string, Fact["value"]>>>>;
  /** In ms. */
  readonly roundTrips: readonly RoundTrips[];
  readonly capabilities: Capabilities;
  readonly leavesOpen: readonly string[];
  readonly findings: readonly Finding[];
}

export function report(url: string, found: Examined): DoctorReport {
  const facts: Record<string, Record<string, Fact["value"]>> = {};
  for (const { group, name, value } of found.facts) (facts[group] ??= {})[name] = value;
  return {
    url,
    ok: found.findings.every(({ level }) => level !== "wrong"),
    backend: found.backend,
    facts,
    roundTrips: found.roundTrips.map(({ to, count, min, median, p99 }) => ({
      to,
      count,
      min: rounded(min),
      median: rounded(median),
      p99: rounded(p99),
    })),
    capabilities: found.capabilities,
    leavesOpen: found.leavesOpen,
    findings: found.findings,
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

import { readFileSync } from "node:fs";

/** What was done to a record. `id` is the identity of a written value, unique for each write. */
export type RegisterAction =
  | { readonly do: "load" }
  | { readonly do: "save"; readonly id: string }
  | { readonly do: "create"; readonly id: string }
  | { readonly do: "replace"; readonly id: string; readonly expected: string }
  | { readonly do: "update"; readonly id: string }
  | { readonly do: "delete" };

/**
 * What came back. `found` is the identity that a load found, or that an update was made from; null is absence. `unknown`: no
 * reply, an indeterminate one, or a caller that was killed: it took effect at some instant after the call, or never.
 */
export type RegisterOutcome =
  | { readonly is: "ok"; readonly found?: string | null }
  | { readonly is: "conflict" }
  | { readonly is: "absent" }
  | { readonly is: "failed" }
  | { readonly is: "unknown" };

/** One call on one record. Times are nanoseconds of the machine's monotonic clock, the same for all processes. */
export interface RegisterCall {
  readonly key: string;
  readonly action: RegisterAction;
  readonly start: bigint;
  /** Absent: it never returned. */
  readonly end?: bigint | undefined;
  readonly outcome: RegisterOutcome;
}

/** One hold of a lock, as its holder saw it. */
export interface Hold {
  readonly key: string;
  readonly holder: string;
  readonly fence: bigint;
  /** When acquire was called. */
  readonly asked: bigint;
  /** When it had returned. */
  readonly from: bigint;
  /** The last instant before which the lease was still seen to be held. */
  readonly until: bigint;
}

/** A write under a lease. */
export interface GuardedWrite {
  readonly key: string;
  readonly id: string;
  readonly fence: bigint;
  readonly start: bigint;
  readonly end?: bigint | undefined;
  readonly outcome: "ok" | "fenced" | "failed" | "unknown";
  /** The write whose value this one was made from. */
  readonly previous?: string | null | undefined;
}

/** A call that must end in time and of which nothing else is judged. */
export interface TimedCall {
  readonly what: string;
  /** ms that it may take, by its own options. */
  readonly limit: number;
  readonly start: bigint;
  /** Absent: its caller was killed. */
  readonly end?: bigint | undefined;
}

/** A line of a log: a call is written before it is made and after it returned, so a killed process leaves its open calls. */
export type LogLine =
  | {
      readonly t: "call";
      readonly n: number;
      readonly at: string;
      readonly key: string;
      readonly action: RegisterAction;
    }
  | { readonly t: "reply"; readonly n: number; readonly at: string; readonly outcome: RegisterOutcome }
  | {
      readonly t: "hold";
      readonly n: number;
      readonly asked: string;
      readonly at: string;
      readonly key: string;
      readonly fence: string;
    }
  | { readonly t: "held"; readonly n: number; readonly at: string }
  | {
      readonly t: "write";
      readonly n: number;
      readonly at: string;
      readonly key: string;
      readonly id: string;
      readonly fence: string;
      readonly previous: string | null;
    }
  | { readonly t: "written"; readonly n: number; readonly at: string; readonly outcome: GuardedWrite["outcome"] }
  | { readonly t: "begin"; readonly n: number; readonly at: string; readonly what: string; readonly limit: number }
  | { readonly t: "end"; readonly n: number; readonly at: string };

export interface History {
  readonly calls: RegisterCall[];
  readonly timed: TimedCall[];
  readonly holds: Hold[];
  readonly writes: GuardedWrite[];
}

/** Puts the logs of several processes together. A last line that was cut by a kill is left out. */
export function readHistory(logs: readonly { readonly holder: string; readonly lines: readonly LogLine[] }[]): History {
  const history: History = { calls: [], timed: [], holds: [], writes: [] };
  for (const { holder, lines } of logs) {
    const calls = new Map<number, { -readonly [K in keyof RegisterCall]: RegisterCall[K] }>();
    const timed = new Map<number, { -readonly [K in keyof TimedCall]: TimedCall[K] }>();
    const holds = new Map<number, { -readonly [K in keyof Hold]: Hold[K] }>();
    const writes = new Map<number, { -readonly [K in keyof GuardedWrite]: GuardedWrite[K] }>();
    for (const line of lines) {
      const at = BigInt(line.at);
      if (line.t === "call")
        calls.set(line.n, { key: line.key, action: line.action, start: at, outcome: { is: "unknown" } });
      else if (line.t === "reply") Object.assign(must(calls.get(line.n)), { outcome: line.outcome, end: at });
      else if (line.t === "hold")
        holds.set(line.n, {
          key: line.key,
          holder,
          fence: BigInt(line.fence),
          asked: BigInt(line.asked),
          from: at,
          until: at,
        });
      else if (line.t === "held") must(holds.get(line.n)).until = at;
      else if (line.t === "write")
        writes.set(line.n, {
          key: line.key,
          id: line.id,
          fence: BigInt(line.fence),
          start: at,
          outcome: "unknown",
          previous: line.previous,
        });
      else if (line.t === "written") Object.assign(must(writes.get(line.n)), { outcome: line.outcome, end: at });
      else if (line.t === "begin") timed.set(line.n, { what: line.what, limit: line.limit, start: at });
      else must(timed.get(line.n)).end = at;
    }
    history.calls.push(...calls.values());
    history.timed.push(...timed.values());
    history.holds.push(...holds.values());
    history.writes.push(...writes.values());
  }
  return history;
}

/** The lines of a log file. */
export function readLog(path: string): LogLine[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const whole = lines.slice(0, -1); // what follows the last line break was cut
  return whole.map((line) => JSON.parse(line) as LogLine);
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a log answers a call that it does not hold");
  return value;
}

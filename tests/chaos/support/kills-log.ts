import { existsSync, readFileSync } from "node:fs";

/** What a process of the harness did, by the machine's monotonic clock, which all processes share. Times are ns. */
export interface Logged {
  /** An acknowledged increment gave `value`, or a load found it. */
  readonly did: "increment" | "load";
  readonly counter: string;
  readonly value: number;
  readonly begin: bigint;
  readonly end: bigint;
}

export interface ProcessLog {
  readonly entries: readonly Logged[];
  /** What was rejected although the process lived. */
  readonly errors: readonly string[];
}

/** A line of a log. */
export function line({ did, counter, value, begin, end }: Logged): string {
  return `${did} ${counter} ${value} ${begin} ${end}\n`;
}

/** The line of a call that was rejected. */
export function errorLine(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message} <- ${String(error.cause)}` : String(error);
  return `error ${text.replaceAll("\n", " ")}\n`;
}

/**
 * Reads a log; the last line of a killed process may be cut short, and is then left out. One that ended before it began
 * has none.
 */
export function readLog(file: string): ProcessLog {
  if (!existsSync(file)) return { entries: [], errors: [] };
  const entries: Logged[] = [];
  const errors: string[] = [];
  const lines = readFileSync(file, "utf8").split("\n");
  lines.pop();
  for (const text of lines) {
    if (text.startsWith("error ")) errors.push(text);
    else {
      const [did, counter, value, begin, end] = text.split(" ") as [Logged["did"], string, string, string, string];
      entries.push({ did, counter, value: Number(value), begin: BigInt(begin), end: BigInt(end) });
    }
  }
  return { entries, errors };
}

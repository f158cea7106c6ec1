import { metaKeys, readMeta, writeMeta } from "./meta.ts";
import type { Log, Meta } from "./tables.ts";

/** What somebody is told. `key` and `lock` are key ids. */
export type LogEntry =
  | { readonly type: "granted"; readonly lock: string; readonly owner: string; readonly session: string }
  | { readonly type: "changed"; readonly key: string }
  | { readonly type: "message"; readonly topic: string; readonly body: string };

/** How far behind a reader may fall: entries, or KiB of messages. */
const kept = 8_192;
/** Old entries are removed so many positions at a time. */
const trimStep = 512;

/** Where the log ends. */
export function head(meta: Meta): number {
  return readMeta<number>(meta, metaKeys.head) ?? 0;
}

/**
 * Appends entries within a transaction, and removes those that are too old. An entry takes a position for each KiB it
 * is long, so the log is bounded in bytes too.
 */
export function append(log: Log, meta: Meta, entries: readonly LogEntry[]): void {
  const first = head(meta);
  let at = first;
  for (const entry of entries) {
    // Each names the one before it, so that a reader sees when something between was removed.
    const text = JSON.stringify([at, entry]);
    at += 1 + (Buffer.byteLength(text) >> 10);
    log.put(at, text);
  }
  writeMeta(meta, metaKeys.head, at);
  if (Math.floor(first / trimStep) === Math.floor(at / trimStep) || at <= kept) return;
  log.trim(at - kept, 2 * trimStep + entries.length);
}

export interface LogPage {
  readonly entries: readonly { readonly at: number; readonly entry: LogEntry }[];
  /** Where to go on. */
  readonly next: number;
  /** Entries behind `after` were removed before they were read. */
  readonly missed: boolean;
}

/** At most `limit` entries behind position `after`. */
export function readLog(log: Log, meta: Meta, after: number, limit: number): LogPage {
  const end = head(meta);
  const entries: { at: number; entry: LogEntry }[] = [];
  let next = after;
  let missed = false;
  if (end <= after) return { entries, next, missed };
  const rows = log.read(after + 1, end, limit);
  for (const { at, text } of rows) {
    const [before, entry] = JSON.parse(text) as [number, LogEntry];
    if (before > next) missed = true;
    next = at;
    entries.push({ at, entry });
  }
  if (rows.length === 0) return { entries, next: end, missed: true };
  return { entries, next, missed };
}

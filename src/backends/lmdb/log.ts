import type { LmdbStore } from "./driver.ts";
import { textOf } from "./layout.ts";
import { metaKeys, readMeta, writeMeta } from "./meta.ts";

/** What somebody is told. `key` and `lock` are key ids. */
export type LogEntry =
  | { readonly type: "granted"; readonly lock: string; readonly owner: string; readonly session: string }
  | { readonly type: "changed"; readonly key: string }
  | { readonly type: "message"; readonly topic: string; readonly body: string };

/** How far behind a reader may fall: entries, or KiB of messages. */
const kept = 8_192;
/** Old entries are removed so many positions at a time. */
const trimStep = 512;

function position(at: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntBE(at, 2, 6);
  return bytes;
}

/** Where the log ends. */
export function head(meta: LmdbStore): number {
  return readMeta<number>(meta, metaKeys.head) ?? 0;
}

/**
 * Appends entries within a transaction, and removes those that are too old. An entry takes a position for each KiB it
 * is long, so the log is bounded in bytes too.
 */
export function append(log: LmdbStore, meta: LmdbStore, entries: readonly LogEntry[]): void {
  const first = head(meta);
  let at = first;
  for (const entry of entries) {
    // Each names the one before it, so that a reader sees when something between was removed.
    const bytes = Buffer.from(JSON.stringify([at, entry]));
    at += 1 + (bytes.length >> 10);
    log.put(position(at), bytes);
  }
  writeMeta(meta, metaKeys.head, at);
  if (Math.floor(first / trimStep) === Math.floor(at / trimStep) || at <= kept) return;
  const old = { start: position(0), end: position(at - kept), limit: 2 * trimStep + entries.length };
  for (const key of [...log.getKeys(old)]) log.remove(key);
}

export interface LogPage {
  readonly entries: readonly { readonly at: number; readonly entry: LogEntry }[];
  /** Where to go on. */
  readonly next: number;
  /** Entries behind `after` were removed before they were read. */
  readonly missed: boolean;
}

/** At most `limit` entries behind position `after`. */
export function readLog(log: LmdbStore, meta: LmdbStore, after: number, limit: number): LogPage {
  const end = head(meta);
  const entries: { at: number; entry: LogEntry }[] = [];
  let next = after;
  let missed = false;
  if (end <= after) return { entries, next, missed };
  const keys = [...log.getKeys({ start: position(after + 1), end: position(end + 1), limit })];
  for (const key of keys) {
    const bytes = log.getBinaryFast(key);
    if (!bytes) continue;
    const text = textOf(bytes, log.lastSize);
    const [before, entry] = JSON.parse(text) as [number, LogEntry];
    if (before > next) missed = true;
    next = key.readUIntBE(2, 6);
    entries.push({ at: next, entry });
  }
  if (keys.length === 0) return { entries, next: end, missed: true };
  return { entries, next, missed };
}

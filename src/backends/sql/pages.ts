import type { Page, Query } from "../../port/index.ts";
import { unpackLock, type PackedLock } from "../common/lock-codec.ts";
import { checkLimit, cursorAfter, lastOf, listsLocks } from "../common/pages.ts";
import type { Limit } from "./client.ts";
import type { Context } from "./context.ts";
import type { LockRow, Range } from "./dialect.ts";
import { shownStamps } from "./stamps.ts";

/** Reads a page in the order of keys. Rejects with InvalidArgumentError for a limit or cursor that cannot be. */
export async function readPage(context: Context, query: Query, limit: Limit): Promise<Page> {
  const { name, client, dialect } = context;
  checkLimit(query, name);
  const { space, prefix } = query;
  const last = lastOf(query, name);
  const range: Range = { space, prefix, after: last?.slice(space.id.length), limit: query.limit };
  if (listsLocks(space)) return pageOfLocks(context, range, limit);
  const rows = dialect.records(await client.read(dialect.page(range, !query.keysOnly), limit));
  const records = rows.map(({ id, version, value, end, stamps }) => ({
    key: id.slice(space.id.length),
    id: version,
    value,
    ...(end !== Infinity && { expiresAt: end }),
    ...(stamps !== undefined && { stamps: shownStamps(stamps) }),
  }));
  return { records, cursor: cursorOf(rows, range) };
}

/** Those that somebody holds or waits for. */
async function pageOfLocks({ client, dialect }: Context, range: Range, limit: Limit): Promise<Page> {
  const { micros } = dialect.time(await client.read(dialect.clock(), limit));
  const rows = dialect.locks(await client.read(dialect.pageLocks(range), limit));
  const records = rows
    .filter(({ body }) => isInUse(body, micros / 1_000))
    .map(({ id }) => ({ key: id.slice(range.space.id.length), id: "", value: "" }));
  return { records, cursor: cursorOf(rows, range) };
}

function isInUse(body: string, now: number): boolean {
  if (body === "") return false;
  const { holds, queue } = unpackLock(JSON.parse(body) as PackedLock);
  return holds.some(({ until }) => until > now) || queue.some(({ until }) => until > now);
}

function cursorOf(rows: readonly Pick<LockRow, "id">[], { limit }: Range): string | undefined {
  const last = rows.at(-1);
  return last && rows.length >= limit ? cursorAfter(last.id) : undefined;
}

import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import { refuseForgotten, refuseUnknown, type Call, type CallOptions } from "../client/index.ts";
import type { Page, Query } from "../port/index.ts";
import { resolvePrefix } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry } from "./entry.ts";
import {
  resolveLimit,
  type ClearOptions,
  type CountOptions,
  type EntryPage,
  type ListOptions,
  type ListPageOptions,
} from "./options.ts";
import { whenAll } from "./thenable.ts";

/** Entries of a page, unless the call says otherwise. */
const pageSize = 100;
const largestPage = 1_000;
/** How many entries, or keys without values, a listing holds in memory at a time. */
const stride = 256;
/** A backend of files reads so many keys in some 3 ms, and nothing else of the process runs meanwhile. */
const keyStride = 2_000;

/** One page of the entries. */
export async function listPage<T>(core: StoreCore<T>, options: ListPageOptions | undefined): Promise<EntryPage<T>> {
  const call = core.instance.call(options);
  const prefix = resolvePrefix(options?.prefix);
  const limit = resolveLimit(options?.limit, pageSize, largestPage);
  const cursor = options?.cursor;
  if (cursor !== undefined && typeof cursor !== "string") {
    throw new InvalidArgumentError("cursor must be what the page before gave");
  }
  return readPage(core, prefix, cursor, limit, call);
}

/** All entries, page by page. Each page has the timeout of the call for itself. */
export async function* list<T>(
  core: StoreCore<T>,
  options: ListOptions | undefined,
): AsyncGenerator<Entry<T>, void, undefined> {
  const prefix = resolvePrefix(options?.prefix);
  let left = resolveLimit(options?.limit, Infinity, Number.MAX_SAFE_INTEGER);
  for await (const entries of pages(core, prefix, left, options)) {
    for (const entry of entries) {
      options?.signal?.throwIfAborted();
      yield entry;
      if (--left === 0) return;
    }
  }
}

/** The pages of a listing; `most` entries are wanted. */
export async function* pages<T>(
  core: StoreCore<T>,
  prefix: string,
  most: number,
  options: CallOptions | undefined,
): AsyncGenerator<readonly Entry<T>[], void, undefined> {
  const limit = Math.min(most, stride);
  let cursor: string | undefined;
  do {
    const at = cursor;
    const page = await core.observe("list", () => readPage(core, prefix, at, limit, core.instance.call(options)));
    cursor = page.cursor;
    yield page.entries;
  } while (cursor !== undefined);
}

/** All keys, page by page. Each page has the timeout of the call for itself. */
export async function* listKeys<T>(
  core: StoreCore<T>,
  options: ListOptions | undefined,
): AsyncGenerator<string, void, undefined> {
  const prefix = resolvePrefix(options?.prefix);
  let left = resolveLimit(options?.limit, Infinity, Number.MAX_SAFE_INTEGER);
  for await (const page of keyPages(core, prefix, left, options, (read) => core.observe("keys", read))) {
    for (const key of page) {
      options?.signal?.throwIfAborted();
      yield key;
      if (--left === 0) return;
    }
  }
}

/** How many keys there are. */
export async function count<T>(core: StoreCore<T>, options: CountOptions | undefined): Promise<number> {
  let found = 0;
  for await (const page of keyPages(core, resolvePrefix(options?.prefix), Infinity, options)) found += page.length;
  return found;
}

/** Deletes all entries, page by page. How many there were. */
export async function clear<T>(core: StoreCore<T>, options: ClearOptions | undefined): Promise<number> {
  refuseForgotten(options, "lease");
  refuseUnknown(options, "if");
  const prefix = resolvePrefix(options?.prefix);
  const call = core.instance.call(options);
  const opened = core.host.known ?? (await core.host.ready(call));
  const protection = await core.protection(options?.lease, opened, call);
  let deleted = 0;
  for await (const page of keyPages(core, prefix, Infinity, options)) {
    const own = core.instance.call(options);
    const ops = page.map((key) => ({ op: "delete", key: core.at(key) }) as const);
    // Before anything of the page is sent: a key that the lease does not cover refuses all of it.
    for (const op of ops) protection?.cover([op], [op.key]);
    const deletes = ops.map(async (op) => core.passed(await core.write(op, own, protection), op.key.key) === true);
    const outcomes = await Promise.allSettled(deletes);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") throw outcome.reason;
      if (outcome.value) deleted++;
    }
  }
  return deleted;
}

/** The keys of a listing, of which `most` are wanted; `observe` runs the reading of each page. */
async function* keyPages<T>(
  core: StoreCore<T>,
  prefix: string,
  most: number,
  options: CallOptions | undefined,
  observe: (read: () => Promise<Page>) => Promise<Page> = async (read) => read(),
): AsyncGenerator<readonly string[], void, undefined> {
  const limit = Math.min(most, keyStride);
  let cursor: string | undefined;
  do {
    const query = { space: core.space, prefix, cursor, limit, keysOnly: true };
    const page = await observe(() => request(core, query, core.instance.call(options)));
    cursor = page.cursor;
    yield page.records.map(({ key }) => key);
  } while (cursor !== undefined);
}

async function readPage<T>(
  core: StoreCore<T>,
  prefix: string,
  cursor: string | undefined,
  limit: number,
  call: Call,
): Promise<EntryPage<T>> {
  const page = await request(core, { space: core.space, prefix, cursor, limit }, call);
  const entries = await whenAll(page.records, (record) => core.entry(record, call));
  return page.cursor === undefined ? { entries } : { entries, cursor: page.cursor };
}

async function request<T>({ instance, host }: StoreCore<T>, query: Query, call: Call): Promise<Page> {
  const { capabilities } = host.known ?? (await host.ready(call));
  if (capabilities.list) return instance.page(query, call);
  const { name } = instance.backend;
  throw new UnsupportedError(`${name} cannot list its entries`, { backend: name });
}

import { InvalidArgumentError, UnsupportedError } from "../base/errors.ts";
import type { Call, CallOptions } from "../client/index.ts";
import { resolvePrefix } from "./conditions.ts";
import type { StoreCore } from "./core.ts";
import type { Entry } from "./entry.ts";
import { resolveLimit, type EntryPage, type ListOptions, type ListPageOptions } from "./options.ts";
import { whenAll } from "./thenable.ts";

/** Entries of a page, unless told. */
const pageSize = 100;
const largestPage = 1_000;
/** Entries that a listing holds in memory at a time. */
const stride = 256;

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

/** All entries, page by page. Each page has the call's timeout for itself. */
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

async function readPage<T>(
  core: StoreCore<T>,
  prefix: string,
  cursor: string | undefined,
  limit: number,
  call: Call,
): Promise<EntryPage<T>> {
  const { instance, host, space } = core;
  const { capabilities } = host.known ?? (await host.ready(call));
  if (!capabilities.list) {
    const { name } = instance.backend;
    throw new UnsupportedError(`${name} cannot list its entries`, { backend: name });
  }
  const page = await instance.page({ space, prefix, cursor, limit }, call);
  const entries = await whenAll(page.records, (record) => core.entry(record, call));
  return page.cursor === undefined ? { entries } : { entries, cursor: page.cursor };
}

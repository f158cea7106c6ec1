import { InvalidArgumentError } from "../../base/errors.ts";
import type { Space } from "../../base/keys.ts";
import type { Query } from "../../port/index.ts";

const mostRecords = 1_000;
const mostKeys = 10_000;

/** Throws InvalidArgumentError for a limit that no page may have. */
export function checkLimit({ limit, keysOnly }: Query, backend: string): void {
  const most = keysOnly ? mostKeys : mostRecords;
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return;
  throw new InvalidArgumentError(`limit must be an integer from 1 to ${most}, got ${limit}`, { backend });
}

/** Whether what is listed in the space are locks that are in use, by their keys. */
export function listsLocks({ kind }: Space): boolean {
  return kind === "lock" || kind === "shared" || kind === "once";
}

/** The cursor of a page in the order of keys, of which `id` (see `keyId`) is the last one looked at. */
export function cursorAfter(id: string): string {
  return Buffer.from(id).toString("base64url");
}

/**
 * The `keyId` of the last key of the page before; undefined for the first page. Throws InvalidArgumentError for any
 * other cursor.
 */
export function lastOf({ space, prefix, cursor }: Query, backend: string): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, "base64url").toString();
  if (cursorAfter(id) === cursor && id.startsWith(space.id + prefix)) return id;
  throw new InvalidArgumentError("cursor must be one that a page of the same space and prefix gave", { backend });
}

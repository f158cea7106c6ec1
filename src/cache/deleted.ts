import type { StoredRecord } from "../port/index.ts";

/**
 * A deleted entry leaves a record with no value, whose id starts with a character that no drawn id has: a load
 * elsewhere that found no entry must not bring back what was deleted while it ran.
 */
export const DELETED = "!";
/** How long that record stays. A load that ran for longer and had found nothing is not kept. */
export const DELETED_MS = 10 * 60_000;
/** How much sooner such a load is given up, for the way to the store. */
export const DELETED_MARGIN_MS = 60_000;

/** Whether a record of the cache is what a deleted entry has left. */
export function isDeleted({ id }: Pick<StoredRecord, "id">): boolean {
  return id.startsWith(DELETED);
}

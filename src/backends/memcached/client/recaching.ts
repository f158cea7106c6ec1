import { StoreError } from "../../store/index.ts";
import type { Limit } from "../../store/store.ts";
import type { Stored } from "./calls.ts";
import type { MetaClient } from "./client.ts";

/** Marks an item that has a value: one that was only claimed has none. */
const hasValue = 1;

/** What {@link fetchOrClaim} takes. */
export interface ClaimOptions {
  /** For how long a caller who won may take to make a value where there is none, in s. Then another one wins. */
  readonly claimFor: number;
  /** A value that has no more than so much of its time left, in s, is to be made anew. Default: it is not. */
  readonly recacheBefore?: number | undefined;
}

/** What was found, and what the caller is to do. */
export interface Claimed {
  /** Fresh or stale; undefined where there is none. */
  readonly value: Buffer | undefined;
  /** It was invalidated: it will do until a new one is there. */
  readonly isStale: boolean;
  /** `make`: this caller alone is to make a value and {@link storeClaimed} it. `wait`: another one makes it. */
  readonly next: "nothing" | "make" | "wait";
  /** For {@link storeClaimed}. */
  readonly claim: string;
}

/**
 * A value, and whether it is to be made anew: the server tells one caller of all, in the request that reads it. A
 * winner who dies is replaced once `claimFor` is over where there was no value; an old value stays until it ends.
 */
export async function fetchOrClaim(
  client: MetaClient,
  key: string,
  { claimFor, recacheBefore }: ClaimOptions,
  limit: Limit,
): Promise<Claimed> {
  const item = await client.get(key, { vivify: claimFor, recache: recacheBefore, told: true }, limit);
  if (!item) throw new StoreError("the server made no item", { sent: true });
  return {
    value: item.flags === hasValue ? item.value : undefined,
    isStale: item.stale,
    next: item.won ? "make" : item.claimed ? "wait" : "nothing",
    claim: item.cas,
  };
}

/**
 * Stores what the winner has made, for `ttl` s; not where the value was invalidated since (another one will win), or
 * somebody else has stored one (`exists`).
 */
export async function storeClaimed(
  client: MetaClient,
  key: string,
  value: Uint8Array,
  { claim, ttl }: { readonly claim: string; readonly ttl: number | undefined },
  limit: Limit,
): Promise<Stored> {
  return client.set(key, value, { cas: claim, ttl, flags: hasValue }, limit);
}

/** Marks a value as stale for `staleFor` s: who asks first makes it anew, the others have the old one meanwhile. */
export async function invalidate(client: MetaClient, key: string, staleFor: number, limit: Limit): Promise<boolean> {
  return (await client.delete(key, { staleFor }, limit)) === "deleted";
}

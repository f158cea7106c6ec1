/*
 * What can be asked of the client, and what it answers.
 */
export interface GetOptions {
  /** Makes an item without a value that lives for so long, in s, where there is none; whoever made it has won. */
  readonly vivify?: number | undefined;
  /** Whoever finds first that no more than so much of its time is left, in s, has won. */
  readonly recache?: number | undefined;
  /** Whether the ttl and the client flags are told. */
  readonly told?: boolean | undefined;
}

export interface Item {
  /** Not to be changed: it shares memory with what was received with it. */
  readonly value: Buffer;
  /** Names this state of the item; for {@link SetOptions.cas}, over the same connection. */
  readonly cas: string;
  /** What is left of its time to live, in s; -1 for no end. With `told`. */
  readonly ttl: number | undefined;
  /** With `told`. */
  readonly flags: number | undefined;
  /** The caller is the one who is to make it anew. */
  readonly won: boolean;
  /** Somebody else is about to make it anew. */
  readonly claimed: boolean;
  /** It was invalidated. */
  readonly stale: boolean;
}

export interface SetOptions {
  /** In s; fractions are rounded up. Default: it never ends. */
  readonly ttl?: number | undefined;
  /** Only while the item has this cas. A cas of an earlier connection counts as another. */
  readonly cas?: string | undefined;
  /** `add`: only where there is none; `replace`, `append`, `prepend`: only where there is one. Default `"set"`. */
  readonly mode?: "set" | "add" | "replace" | "append" | "prepend" | undefined;
  readonly flags?: number | undefined;
}

/** `stored`; `exists`: it has another cas, or is there already; `missing`: there is none. */
export type Stored = { readonly result: "stored"; readonly cas: string } | { readonly result: "exists" | "missing" };

export interface DeleteOptions {
  readonly cas?: string | undefined;
  /** It stays as stale for so long, in s: who gets it first has won. */
  readonly staleFor?: number | undefined;
}

export type Deleted = "deleted" | "exists" | "missing";

export interface CountOptions {
  /** How much is added. Default 1. */
  readonly delta?: number | undefined;
  /** Takes away instead; no less than 0 is left. */
  readonly down?: boolean | undefined;
  /** What it begins with where there is none, for so long. Without it there stays none. */
  readonly initial?: { readonly value: number; readonly ttl: number } | undefined;
}

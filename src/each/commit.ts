import type { Lease, StateStore } from "../entries/index.ts";
import type { Base } from "./records.ts";

/** How long a written record lives: the store's default, what remains, or so many ms. */
export type Ttl = number | "keep" | undefined;

/** One record of a commit. */
export interface Change {
  readonly store: StateStore<unknown>;
  readonly key: string;
  /** What must be so for the commit to take effect. */
  readonly base: Base;
  /** What becomes of it; absent: nothing, it is only checked. */
  readonly write?: { readonly value: unknown; readonly ttl: Ttl } | "delete";
}

/** A commit on its way. */
export interface Sent {
  /** The version each change's record will have. */
  readonly versions: readonly Base[];
  /** Rejects with ConflictError, FencedError, UnavailableError, IndeterminateError. */
  readonly done: Promise<void>;
}

/** Writes groups of records, all or nothing, under a lease. */
export interface Committer {
  readonly maxChanges: number;
  send(changes: readonly Change[], lease: Lease): Sent;
}

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
  /** Sends a group, after that has resolved if told. */
  send(changes: readonly Change[], lease: Lease, after?: Promise<unknown>): Sent;
  /**
   * Where the store keeps records in several places, so that an item cannot commit together with its progress: sends a group
   * of records of one tag. What must be so is decided by their versions alone.
   */
  readonly sendApart?: ((changes: readonly Change[], lease: Lease) => Sent) | undefined;
}

import { UnavailableError } from "../base/errors.ts";
import type { LockMode, LockState } from "../port/index.ts";
import type { Moment } from "./margin.ts";

/** What a campaign asks the store for. */
export interface Ask {
  readonly mode: LockMode;
  readonly limit: number | undefined;
  readonly ttlMs: number;
  readonly info: string;
  /** Whether to queue if the lock is not free. */
  readonly waits: boolean;
  readonly timeoutMs: number;
  /**
   * Whether an exclusive grant that was announced may be a lease for its claim, before an `acquire` has confirmed it.
   */
  readonly startsClaimed?: boolean | undefined;
}

/** What the store granted to a campaign. */
export interface Won {
  readonly owner: string;
  readonly grant: number;
  /** Before the grant. */
  readonly sent: Moment;
  readonly ask: Ask;
  /** Whether the grant was announced and not confirmed: it ends with its claim, unless it is extended. */
  readonly claimed: boolean;
  /** Set if an earlier request may yet arrive: the release must refuse the owner for that long. */
  readonly markMs: number | undefined;
}

/** On whose behalf a campaign asks the store: the local queue, or a single caller. */
export interface Candidate {
  /** Whether the lock is still wanted. */
  readonly wanted: boolean;
  /** What to ask for now. Called only while the lock is wanted. */
  ask(): Ask;
  /** The lock is held from now on. The campaign is over. */
  won(won: Won): void;
  /** The lock was not free. With `ask.waits` the campaign goes on, else it asks on behalf of the next. */
  refused(state: LockState, ask: Ask): void;
  /** The store refuses such requests for now. With `ask.waits` the campaign goes on. */
  troubled(error: unknown): void;
  /** The store could not be asked for this. The campaign is over. */
  failed(error: unknown, ask: Ask): void;
  /** The grant of a try arrived when it had ended already. The campaign is over. */
  late(error: Error, ask: Ask): void;
  /** The lock was not wanted any more. The campaign is over. */
  left(): void;
}

/** The error of a try whose grant arrived when it had ended already. */
export function tooLate(backend: string, key: string): UnavailableError {
  return new UnavailableError("the store answered after the ttl had passed: nothing is held", { backend, key });
}

import type { Key } from "../base/keys.ts";
import type { LockMode } from "../port/index.ts";
import type { LockHost } from "./host.ts";
import type { Moment } from "./margin.ts";

/** A grant of the store to a contender of this instance. */
export interface Granting {
  readonly host: LockHost;
  /** One lock, or several that were granted together and raised to one grant. */
  readonly locks: readonly Key[];
  readonly mode: LockMode;
  /** The contender. */
  readonly owner: string;
  readonly grant: number;
  /** Before the request was sent. */
  readonly sent: Moment;
  readonly ttlMs: number;
  /** Set if the grant lasts for a claim only: when to extend it, by `time.monotonic()`. */
  readonly renewAt?: number | undefined;
  /** Set if a request of the owner may yet arrive: the release refuses the owner for that long. */
  readonly markMs?: number | undefined;
  /** What the store has about the holder; see {@link writeInfo}. */
  readonly info: string;
}

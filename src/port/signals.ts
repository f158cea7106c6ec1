import type { Key, Space } from "../base/keys.ts";

/** What a session is told. */
export type Signal =
  /**
   * A release granted the lock to an owner of this session that waited, for the `claimMs` of its `acquire`. No lease
   * until an `acquire` confirmed it; with `grant`, nothing but its time, a release or a steal ends it, so it is one for
   * its claim.
   */
  | { readonly type: "granted"; readonly lock: Key; readonly owner: string; readonly grant?: number | undefined }
  /** The record was written, deleted or has expired: read it. */
  | { readonly type: "changed"; readonly key: Key }
  /** A message that an instance published to the topic. */
  | { readonly type: "message"; readonly body: string }
  /** Something may have been missed since the last signal. */
  | { readonly type: "gap" };

/** What to be told of. */
export type Subscription =
  /** Grants to waiters of this session. */
  | { readonly grants: true }
  /** Changes of records with that prefix. */
  | { readonly changes: Space; readonly prefix: string }
  /** Messages to a topic, of every instance, also of this one. */
  | { readonly topic: string };

/** The wake-up channel of a session. Signals may be lost only where a `gap` follows; they may come twice. */
export interface Signals {
  /**
   * Listens; live when it resolves: what is acknowledged from then on is told. The returned function ends it. Listeners
   * are called one at a time and must not throw. A subscription does not keep the process alive. Rejects with a
   * HoldfastError.
   */
  subscribe(to: Subscription, listener: (signal: Signal) => void): Promise<() => void>;
  /** Sends `body` to every live subscriber of `topic`. At most 32 KiB. Rejects with a HoldfastError. */
  publish(topic: string, body: string): Promise<void>;
}

import type { Key, Space } from "../base/keys.ts";
import type { Time } from "../base/time.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Examination } from "./examination.ts";
import type { Group, Outcome, ListedRecord } from "./operations.ts";
import type { OwnConnection, OwnTransaction } from "./own-transaction.ts";
import type { Signals } from "./signals.ts";
import type { Tables } from "./tables.ts";

/**
 * A server (or an embedded engine) with one way to reach it. Making one does no I/O and loads no driver.
 *
 * A backend knows records and locks by key; it knows no codec, no store, no retry. What it must do is proved by the
 * port suite in `src/testing`.
 */
export interface Backend {
  /** A short name for errors and tables, such as `"memory"`. */
  readonly name: string;
  /** Clocks and timers; the test kit replaces them. */
  readonly time: Time;
  /**
   * Reaches the server; on the first call that needs it, and again by the backend itself after a reconnect. Concurrent
   * and later calls share one attempt; one that failed may be made again. Rejects with UnavailableError (not reachable)
   * or UnsupportedError / InvalidArgumentError (can never work: says why).
   */
  open(): Promise<Opened>;
  /** A new instance on this backend. No I/O. */
  session(): Session;
  /**
   * What the server is and what is set wrong, also where `open` refuses it for that. Reaches it if need be; changes
   * nothing that anybody else sees. Rejects as `open` does where it cannot be reached. Optional: without it, what
   * `open` tells is all.
   */
  examine?(call: { readonly deadline: number }): Promise<Examination>;
  /** Its tables on the server, where it has some: for those who make them apart from `open`. Optional. */
  readonly tables?: Tables | undefined;
  /** Ends what the backend opened itself, never a client that was handed in. Sessions end with it. Idempotent. */
  close(): Promise<void>;
}

/** What is known once a backend is open. */
export interface Opened {
  /** An id kept in the server: two backends with the same domain see the same records, atomically together. */
  readonly domain: string;
  readonly capabilities: Capabilities;
  /** Why changes are not told, where the backend could under other settings: for the error that refuses a watch. */
  readonly whyNoWatch?: string | undefined;
}

/** One instance of an application on a backend: its local queues, its wake-up channel. */
export interface Session {
  /** Drawn by the client; names this instance in lock queues. */
  readonly id: string;

  /**
   * Runs groups. Each is atomic by itself; one group's failure is never another's. Outcomes come in the order of the
   * groups. The caller guarantees that no two groups of one call, or of this session's calls in flight at the same
   * time, write one key, or read a key another one writes (guards do not count as reads), but for a release and an
   * acquire that waits, of another owner, which is right in either order and quicker in theirs; so a backend may run
   * them in any order and all at once. It guarantees nothing between sessions: a backend that puts groups of two
   * sessions into one request parts those of one key.
   *
   * Never rejects, and settles soon after `deadline` at the latest: what went wrong is an outcome. Waits for {@link
   * Backend.open} if it must. It keeps the process alive while it is pending.
   */
  execute(groups: readonly Group[], call: ExecuteCall): Promise<readonly Outcome[]>;

  /**
   * The same, at once, for a backend whose data is in this process's reach: `undefined` where it cannot (not open yet,
   * or not a kind of group it can answer without waiting). Optional.
   */
  executeNow?(group: Group): Outcome | undefined;

  /**
   * Keys of a space in no particular order, in bounded pages. Every key there throughout is seen at least once. Settles
   * soon after `deadline`. Rejects with a HoldfastError.
   */
  page(query: Query, call: { readonly deadline: number }): Promise<Page>;

  /**
   * The transaction that the application has begun on a connection of its own, to execute groups in it. No I/O. Throws
   * InvalidArgumentError for what is no such connection. Absent where {@link Capabilities.within} is.
   */
  within?(connection: OwnConnection): OwnTransaction;

  /** Wake-ups and change notices. Absent where the backend cannot tell (`push: false` and `watch: "none"`). */
  readonly signals?: Signals;

  /** Ends the instance: no more signals. What it holds stays until it expires. Idempotent. */
  close(): Promise<void>;
}

/** What a backend must know of the calls behind a batch. */
export interface ExecuteCall {
  /** When nobody waits any more, by `time.monotonic()`. */
  readonly deadline: number;
  /**
   * Asked exactly once for group `i`, synchronously before the first request for it that may write, or before it is
   * answered from what was read; requests that only read may come before. `false` means that its caller is gone: do not
   * send it, its outcome is `{ ok: false, why: "failed", sent: false }`. A backend that sends a group again, or later,
   * asks its deadline again.
   */
  claim(i: number): boolean;
  /**
   * May be called with what became of group `i` as soon as it is known, once: so one group need not wait for another
   * that is slow. What the promise gives for it later is not looked at.
   */
  settled?(i: number, outcome: Outcome): void;
}

/** Which keys to page through. On lock spaces (`lock`, `shared`, `once`) the records carry keys only. */
export interface Query {
  readonly space: Space;
  readonly prefix: string;
  /** At most so many records a page, 1 to 1000; a page may hold fewer, also none, and still have a cursor. */
  readonly limit: number;
  /** Values do not travel: each is `""`. The limit is 1 to 10,000 then. */
  readonly keysOnly?: boolean | undefined;
  /** Opaque, from the page before. */
  readonly cursor?: string | undefined;
}

export interface Page {
  readonly records: readonly ListedRecord[];
  /** Absent on the last page. */
  readonly cursor?: string | undefined;
}

export type { Key, Space };

import type { PeerRecord, Watched } from "./meta.ts";

/** What the backend itself asks of the commit thread, beside the groups of its callers. */
export type Command =
  /** Has changes of a space or messages to a topic told to this process; the result is where the log stands. */
  | { readonly do: "watch"; readonly what: Watched; readonly on: boolean }
  /** Tells `body` to everybody who listens to the topic. */
  | { readonly do: "publish"; readonly topic: string; readonly body: string }
  /** Removes what a process that is no more has left: places in queues, watches. */
  | { readonly do: "bury"; readonly peer: string }
  /** Registers this process again, when others took it for dead. */
  | { readonly do: "enter"; readonly peer: PeerRecord }
  /** Passes on locks whose holder or first waiter has expired. */
  | { readonly do: "pass"; readonly locks: readonly string[] }
  /** Removes what has expired, so many at most. */
  | { readonly do: "sweep"; readonly most: number };

/** Most records that a sweep or a burial touches in one transaction. */
export const step = 256;

/** How much a command may change, in operations. */
export function weightOf(command: Command): number {
  switch (command.do) {
    case "sweep":
      return command.most + 1;
    case "bury":
      return step;
    case "pass":
      return command.locks.length + 1;
    default:
      return 2;
  }
}

/** What the commit thread is started with. */
export interface ThreadStart {
  readonly peer: PeerRecord;
  /** What the backend wants to know there. */
  readonly data: unknown;
}

/** What became of a batch. */
export interface Done {
  readonly type: "done";
  /** Outcomes that are not just "ok, nothing to tell": group, outcome, group, outcome, ... */
  readonly outcomes: readonly unknown[];
  /** Processes that have something to read in the log. */
  readonly ping: readonly string[];
  /** Locks that somebody waits for, and the ms until each may pass on by itself: lock, ms, lock, ms, ... */
  readonly passing: readonly (string | number)[];
}

/**
 * A message of the commit thread: `ready` or `refused` first, then one for each batch; `null` when there is nothing
 * to tell.
 */
export type WorkerMessage =
  | { readonly type: "ready"; readonly epoch: number; readonly domain: string }
  | { readonly type: "refused"; readonly error: WiredError }
  | Done
  | null;

/**
 * A batch: which of the shared memories, how many bytes of it, and the memory itself when it is another than before.
 */
export type WorkerRequest = readonly [slot: number, length: number, memory?: SharedArrayBuffer] | "close";

/** An error as it crosses threads. */
export interface WiredError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number | undefined;
}

/** A group of which nothing, or with `sent` nobody knows what, took effect. */
export interface WiredFailure {
  readonly ok: false;
  readonly why: "failed";
  readonly sent: boolean;
  readonly error: WiredError;
}

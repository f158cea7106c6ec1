/*
 * Who is who in what embedded backends share: those whose data is in files of one machine. Nobody here knows what
 * stores it; that is an `engine` on the main thread, and a `store` in the commit thread.
 *
 * From the port down:
 *   backend, session   the port. All backends of a process on the same files share their environment
 *   environment        what a process has of the files: opens them, and joins what follows, to which it is the `site`
 *   reads              groups that only read, and pages: on the caller's thread, each from a fresh snapshot
 *   commits            the queue in front of the commit thread: `batches`, written by `batch-writer` as `wire` says
 *   worker-host        the commit thread, seen from the main thread
 *   signal-hub         reads the log for those who subscribed. `roster` and `peers` wake the processes, by `sockets`
 *   deaths, sweeper    pass on what a dead process held, and remove what has expired
 *   examine            what can be said of any of them to those who run it
 * In the commit thread:
 *   serve              runs each batch as one transaction of the `store`
 *   transaction        what `decide` of `common` sees and changes there; `run-command` is for commands of our own
 * In either:
 *   tables             what the data is, whatever stores it; `tables-view` is what `decide` may ask of it
 *   record             a record as it is handed to the commit thread. `lock-table`: a lock as it is stored
 *   log, meta          what is told, and who is there. `clock`: the time of leases
 */
import type { HoldfastError } from "../../base/errors.ts";
import type { Capabilities } from "../../port/index.ts";
import type { WiredError } from "./commands.ts";
import type { ReadableTables } from "./tables.ts";

/** How an embedded backend speaks of itself. */
export interface Speech {
  readonly name: string;
  /** What its processes share: `"directory"`. */
  readonly what: string;
  /** What a failure of the driver means to the caller; nothing took effect. */
  readonly explain: (error: WiredError | Error) => HoldfastError;
}

/** What stores the data of an embedded backend, on the main thread of a process. */
export interface Engine extends Speech {
  readonly capabilities: Capabilities;
  /** Loads the driver. Rejects with UnsupportedError. */
  load(): Promise<void>;
  /**
   * Makes or checks what the data is to be in, before anything is opened. Throws InvalidArgumentError,
   * UnsupportedError or UnavailableError, with what to do.
   */
  prepare(): Place;
  /** Whether an open of the data that failed so is to be tried again at once. */
  isPassing(error: unknown): boolean;
}

/** Where the data is, and how it is opened. */
export interface Place {
  /** Absolute, links resolved: what tells one place from another. */
  readonly path: string;
  /** The folder of the sockets of its processes. */
  readonly sockets: string;
  /**
   * Whether only one thread of a process may have it open, and only processes of one pid namespace: what keeps others
   * out then are the sockets.
   */
  readonly alone: boolean;
  /** What the commit thread is to be started as. Each call is about a thread of its own. */
  thread(): Thread;
  /**
   * Opens it for reading in this thread, while the commit thread has it open. Throws an error of the driver, as all
   * that it gives does.
   */
  openReadable(): ReadableTables;
}

/** What a commit thread is, to the one who starts it. */
export interface Thread {
  /** The file that it runs. */
  readonly file: URL;
  /** What it needs to know. */
  readonly data: unknown;
  /** The main thread has the data open, or never will. */
  onOpened(): void;
  /** It has ended. */
  onEnded(): void;
}

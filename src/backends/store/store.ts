import type { Capabilities, Examination } from "../../port/index.ts";

/**
 * The small port: the least that a server must do to be a backend. It keeps cells, and changes them if they are still
 * what was read. Records, conditions, ttl, locks, queues, fences and guards are decided by the engine of this folder.
 *
 * A call that fails rejects with a {@link StoreError}, which says whether it may have taken effect; whatever else
 * is thrown counts as "may have", and so does an answer that is not as said here. Each call settles soon after its
 * deadline; at most 16 are open (to each of {@link Store.servers}), and one that is 10 s late is given up.
 */
export interface Store {
  /**
   * How many cells a transaction may compare and change: `"one"`, or `"any"` up to `declares.mostCells`. What the
   * backend promises follows: `guard`, `transact`, `stamps` and `maxGroup`.
   */
  readonly atomic: "one" | "any";
  readonly declares: Declares;
  /**
   * Where `atomic` is `"one"` and the cells are spread over servers: how many there are, and which one has a cell, from
   * 0 on, always the same. Cells of one server are then asked for apart from those of others: one that does not answer
   * holds up nobody but those who ask it.
   */
  readonly servers?: { readonly count: number; of(cell: string): number };
  /**
   * Reaches the server; called once before anything else, and again after it has failed. `domain` is an id kept in
   * the server: two stores with the same one see the same cells. `declares` is what the server, as it is set, turns out
   * to promise instead of what was declared. Rejects with UnavailableError, or with UnsupportedError or
   * InvalidArgumentError for what can never work.
   */
  open(limit: Limit): Promise<{ readonly domain: string; readonly declares?: Found | undefined }>;
  /**
   * The cells under `keys`, in their order. Of one moment where `atomic` is `"any"`. At most `declares.mostRead`
   * keys. Rejects where none could be read; one that could not is a {@link StoreError} in its place.
   */
  read(keys: readonly string[], limit: Limit): Promise<Read>;
  /**
   * Runs transactions, each all or nothing and independent of the others, in any order; an answer for each. No two of
   * one call change the same cell, and none changes a cell that another one compares. To be sent once: a second copy
   * would be refused for what the first one did.
   *
   * Where the reply is lost, the engine looks for what was written. Deletes leave nothing to be seen: a group of
   * nothing else then ends as unknown.
   */
  commit(transactions: readonly Transaction[], limit: Limit): Promise<readonly Answer[]>;
  /**
   * Keys that begin with `prefix`, in the order of their code units or bytes, from behind `after`; at most `most`.
   * Fewer end the listing.
   */
  scan?(range: Range, limit: Limit): Promise<readonly string[]>;
  /**
   * Tells which cell with that prefix has changed, as soon as it has; `undefined` says that something may have been
   * missed. Live when it resolves; the returned function ends it.
   */
  watch?(prefix: string, listener: (key: string | undefined) => void): Promise<() => void>;
  /** Messages that are not kept. Where there are none and there is `watch`, they go through cells. */
  readonly messages?: Messages;
  /** What the server is and how it is set, for `holdfast doctor`. Optional: without it, what `open` tells is all. */
  examine?(limit: Limit): Promise<Examined>;
  /** Ends what the store opened itself. */
  close(): Promise<void>;
}

/** What no operation can show. Each is what {@link Capabilities} says of it. */
export interface Declares extends Pick<
  Capabilities,
  "exclusion" | "fence" | "reads" | "durability" | "ttlGranularity" | "shared"
> {
  /**
   * `"server"`: `read` tells the server's time. `"client"`: it does not, and each process goes by its own clock.
   * `"none"`: so it does for records, but a hold of a lock has ended once a process has seen it for as long as it
   * lasts, or once the store has forgotten its cell, which it must do soon. `read` tells the {@link Read.order}.
   */
  readonly clock: "server" | "client" | "none";
  /**
   * Whether `commit` compares `notBefore` and `notAfter` with the server's clock. Without it a lease or a record that
   * ends while a commit is on its way may count as live: the engine leaves 10 ms for that, and a commit that takes
   * longer may take effect late, though never after anybody else has changed the cell.
   */
  readonly timed?: boolean;
  /**
   * Where `atomic` is `"one"`: `"none"` keeps no fences beside records, so leases guard no writes, and a write without
   * a condition overwrites what it has not read ({@link Change.blind}). Default `"floor"`.
   */
  readonly guard?: "floor" | "none";
  /** What an acknowledged change tells `watch`: all of it, or most. Default `"lossy"`. */
  readonly watch?: "log" | "lossy";
  /** Largest content of a cell, in bytes. A value has 4 KiB less. */
  readonly maxContent: number;
  /** Most cells that a transaction compares and changes, where `atomic` is `"any"`: at least 8. Default 64. */
  readonly mostCells?: number;
  /** Most keys of one `read`. Default 256, and never less than `mostCells`. */
  readonly mostRead?: number;
}

/** What a server can turn out to promise instead of what was declared. */
export type Found = Partial<Pick<Declares, "exclusion" | "reads" | "durability" | "ttlGranularity" | "maxContent">>;

/** What {@link Store.examine} tells. */
export type Examined = Omit<Examination, "capabilities"> & { readonly declares?: Found | undefined };

/** What names a state of a cell. Never the same again for another state of that cell. */
export type Revision = string | number | bigint;

/** A cell, as read. Its content is as it was given to `commit`. */
export interface Cell {
  readonly content: Uint8Array;
  readonly revision: Revision;
}

export interface Read {
  readonly cells: readonly (Cell | Error | undefined)[];
  /**
   * The server's clock when it was read, in ms since 1970, with fractions where it has them. Left out where `clock`
   * is another.
   */
  readonly now?: number | undefined;
  /** Where `clock` is `"none"`: a whole number that rises by 1 or more with each commit. Grants are made of it. */
  readonly order?: number | undefined;
}

/** All or nothing, if every cell is as expected. */
export interface Transaction {
  /** Cells that must be as they were read. None where `atomic` is `"one"`. */
  readonly checks: readonly Check[];
  /** At least one; just one where `atomic` is `"one"`. No cell twice. */
  readonly changes: readonly Change[];
  /** With `declares.timed`: refused before that moment of the server's clock, in ms since 1970. */
  readonly notBefore?: number | undefined;
  /** With `declares.timed`: refused from that moment of the server's clock on, in ms since 1970. */
  readonly notAfter?: number | undefined;
}

/** What a cell must still be: `undefined` is absent. */
export interface Check {
  readonly key: string;
  readonly revision: Revision | undefined;
}

export interface Change extends Check {
  /**
   * Absent: the cell is deleted; one that is expected to be absent must be, as with any change. Its first 16 bytes are
   * ASCII and those of no other content ever written, so that a server without revisions can compare these.
   */
  readonly content: Uint8Array | undefined;
  /** Whatever is there is overwritten, so `revision` is undefined. Only with `declares.guard` as `"none"`. */
  readonly blind?: true;
  /**
   * When the store may forget the cell, in ms since 1970; Infinity for never. Not before. Where `clock` is `"none"`,
   * what is left until then counts by the store's own clock, from when this is sent.
   */
  readonly until: number;
  /** Where `clock` is `"none"`: the cell is there, and it suffices that the store forgets it when it would have. */
  readonly keepsEnd?: true;
}

/**
 * `false`: something was not as expected, and nothing has changed. `true`: done. The revisions of what was changed,
 * in the order of the changes: done, and the next commit on these may come without a read. A {@link StoreError}:
 * this one failed.
 */
export type Answer = boolean | readonly (Revision | undefined)[] | Error;

export interface Limit {
  /** When nobody waits any more, by `performance.now()`, or by the clocks that the store was made with. */
  readonly deadline: number;
}

export interface Range {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly most: number;
}

/** Messages to whoever hears them at that moment. */
export interface Messages {
  /** Sends each; best effort. At most 40 KiB each. */
  tell(messages: readonly Message[], limit: Limit): Promise<void>;
  /** Live when it resolves; `undefined` says that something may have been missed. The returned function ends it. */
  hear(topic: string, listener: (body: string | undefined) => void): Promise<() => void>;
}

export interface Message {
  readonly topic: string;
  readonly body: string;
}

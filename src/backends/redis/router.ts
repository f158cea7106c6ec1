/** One argument of a command. Strings are sent as UTF-8. */
export type Arg = string | Buffer;

/**
 * A reply: bulk strings as buffers, integers as numbers, arrays as arrays, nil as null. Never an error: that is a
 * RedisFailure.
 */
export type Reply = Buffer | string | number | null | readonly Reply[];

/** How the servers behind a router are arranged. */
export type Topology = "single" | "sentinel" | "cluster";

/**
 * Which connection a command goes on. `commands` carries what callers wait for; `renewals` the extensions of leases, so
 * that they do not queue behind a large value.
 */
export type Route = "commands" | "renewals";

/** One primary. */
export interface Node {
  /** `host:port` as the servers name it: stable while the node is there. */
  readonly id: string;
  /** As {@link Router.send}, to this node and no other. */
  send(args: readonly Arg[]): Promise<Reply>;
}

/** What a subscriber is told. */
export interface PushListener {
  /** A message on a channel; `pattern` is the pattern it came by, if one. */
  message(channel: string, body: Buffer, pattern: string | undefined): void;
  /** The connection was lost and is back, with every subscription made again: messages between were missed. */
  gap(): void;
}

/**
 * Subscriptions on connections of their own. Resolves once the server has confirmed; resubscribes after a loss and
 * tells of the gap. Does not keep the process alive.
 */
export interface Subscriber {
  subscribe(channel: string, deadline: number): Promise<void>;
  unsubscribe(channel: string): void;
  /** A pattern on every primary (keyspace notifications stay within their node); a change of the primaries is a gap. */
  subscribePattern(pattern: string, deadline: number): Promise<void>;
  unsubscribePattern(pattern: string): void;
  close(): Promise<void>;
}

/** A command on its way, as who sent it and the router see it: a cluster may have to be sent it more than once. */
export interface Errand {
  /** Set by who sent it, who waits no more: what a server has refused is not sent again. */
  givenUp: boolean;
  /** Set by the router while it is with no server, and all that it was sent to have refused it: nobody executes it. */
  refused: boolean;
  /**
   * What is sent instead of `args` to a node that takes the slot over, to which a key that is still on its way is as
   * one that does not exist: it must name every key that it may look at, so that the node can tell. Default: the same.
   */
  asking?(args: readonly Arg[]): readonly Arg[];
}

/** One way to the servers, whatever their arrangement. Deadlines are moments of the backend's monotonic clock. */
export interface Router {
  readonly topology: Topology;
  /**
   * Resolves when commands can be sent; connects at the first call, and by itself after a loss. Rejects with
   * UnavailableError at the deadline or when closed, InvalidArgumentError / UnsupportedError where it can never work
   * (wrong password, driver missing). At most `maxWaiting` callers wait; more are refused at once with
   * UnavailableError. On a cluster it waits for the node of `key`, and without one for any node. With `once` it rejects
   * with UnavailableError where an attempt has failed, too.
   */
  ready(deadline: number, key?: string, once?: boolean): Promise<void>;
  /**
   * Whether a command for `key` can be sent now, without waiting. The route `renewals` has a connection of its own from
   * its first use on, and takes the one for commands where its own is not there.
   */
  isReady(route: Route, key: string | undefined): boolean;
  /**
   * Sends one command now, at most once, and never waits for a connection: where there is none it rejects with
   * `RedisFailure { sent: false }`. `key` names where on a cluster; undefined is any node. MOVED, ASK and TRYAGAIN are
   * followed (the server did not execute) until `errand` is given up. Rejects with RedisFailure only.
   */
  send(route: Route, key: string | undefined, args: readonly Arg[], errand?: Errand): Promise<Reply>;
  /** The slot of a key on a cluster; 0 elsewhere. Keys of one slot can be in one script. */
  slotOf(key: string): number;
  /** The primaries: one, or those of the cluster with what identifies the current distribution of the slots. */
  primaries(deadline: number): Promise<{ readonly nodes: readonly Node[]; readonly epoch: string }>;
  /** Of {@link primaries} those that are not away, once each was tried. Without it there is but one. */
  reachable?(deadline: number): Promise<readonly Node[]>;
  /**
   * The sentinels, where they are asked for the primary, and what they call it. Of those that do not answer too: a
   * command to one of them rejects with RedisFailure.
   */
  sentinels?(): { readonly master: string; readonly nodes: readonly Node[] } | undefined;
  /** A subscriber that tells `listener`. Connects at its first subscription. */
  subscriber(listener: PushListener): Subscriber;
  /** Ends what it opened itself, never a client that was handed in. Idempotent. */
  close(): Promise<void>;
}

/** Why a command gave no reply. */
export class RedisFailure extends Error {
  /** Whether the server may have executed it. An error reply that the server gives instead of executing is `false`. */
  readonly sent: boolean;
  /**
   * The first word of an error reply, such as `"NOSCRIPT"`, `"READONLY"`, `"OOM"`; undefined where there was no reply.
   */
  readonly reply: string | undefined;

  constructor(message: string, sent: boolean, reply?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RedisFailure";
    this.sent = sent;
    this.reply = reply;
  }
}

/**
 * Whether an error within a script says that the user lacks a right, for which servers have no word of its own there.
 */
export function isForbiddenInScript(message: string): boolean {
  return /^(?:NOPERM|ERR (?:ACL failure in script|The user executing the script can't))\b/.test(message);
}

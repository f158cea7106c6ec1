import { UnsupportedError, type HoldfastError } from "../../../base/errors.ts";
import type { Time, Timer } from "../../../base/time.ts";
import { Awaited } from "../../common/awaited.ts";
import { closedError } from "../../common/failures.ts";
import { Reconnecting } from "../../common/reconnecting.ts";
import type { Reply } from "../../sql/client.ts";
import type { Query } from "./answers.ts";
import { DialAttempt, type DialOptions } from "./attempt.ts";
import type { PgClient } from "./driver.ts";
import { attemptFailure, BACKEND, type Hide } from "./errors.ts";
import type { Wire } from "./wire.ts";

/** How often the server is asked for a sign of life, and how long it may take, in ms: it may have nothing to tell. */
const pingMs = 4_000;

/** Who listens. */
export interface Listening {
  /** A notification of a channel. */
  notified(channel: string, payload: string): void;
  /** The connection was lost and is back, with all channels: what was told in between was missed. */
  gap(): void;
}

/** Channels on a connection of their own, which comes back after a loss. It does not keep the process alive. */
export interface Listener {
  /**
   * Resolves when notifications of the channel come. Rejects with UnavailableError at the deadline or when it is
   * closed, UnsupportedError where a pooler hands transactions to other connections, and another HoldfastError where no
   * attempt will ever work.
   */
  listen(channel: string, deadline: number): Promise<void>;
  unlisten(channel: string): void;
  /** Nothing is heard on the connection though it lives: another one is made. */
  renew(why: Error): void;
  /** Idempotent. */
  close(): void;
}

export interface ListenerOptions {
  readonly time: Time;
  readonly dial: DialOptions;
  readonly hide: Hide;
  readonly maxWaiting: number;
  /** Whether a pooler between here and the server is one that was meant for this. */
  readonly trusted: boolean;
  /** Makes the connection of a client; `lost` is called once it is of no use. */
  alive(client: PgClient, lost: (wire: Wire, why: unknown) => void): Wire;
}

/** A channel that is asked for, and the connection that listens to it. */
interface Channel {
  readonly name: string;
  on: Wire | undefined;
  /** Callers that wait for it. */
  asks: number;
}

export class OwnListener implements Listener {
  readonly #options: ListenerOptions;
  readonly #listening: Listening;
  readonly #channels = new Map<string, Channel>();
  readonly #connection: Reconnecting<Wire, DialAttempt>;
  readonly #awaited: Awaited;
  #before = false;
  #ping: Timer | undefined;
  #closed = false;

  constructor(options: ListenerOptions, listening: Listening) {
    this.#options = options;
    this.#listening = listening;
    const { time, dial, hide, maxWaiting } = options;
    this.#awaited = new Awaited(BACKEND, time, maxWaiting);
    this.#connection = new Reconnecting({
      time,
      attempt: () =>
        new DialAttempt(dial, {
          alive: (client) => this.#alive(client),
          prepare: (wire, deadline) => this.#prepare(wire, deadline),
        }),
      meaning: (error, attempt) => attemptFailure(error, attempt?.where ?? "the server", hide),
      // Those who listen are told nothing of a failure: it must not be the end.
      persists: () => this.#channels.size > 0,
      opened: (wire) => this.#opened(wire),
      changed: () => this.#awaited.look(),
    });
  }

  async listen(name: string, deadline: number): Promise<void> {
    const channel = this.#channels.get(name) ?? { name, on: undefined, asks: 0 };
    this.#channels.set(name, channel);
    this.#connection.start();
    const wire = this.#connection.link;
    if (wire) this.#listenOn(wire, [channel]);
    channel.asks++;
    try {
      await this.#awaited.wait(deadline, {
        done: () => channel.on !== undefined && channel.on === this.#connection.link,
        failed: () => this.#hopeless(),
        problem: () => this.#connection.problem,
      });
    } catch (error) {
      if (channel.asks === 1 && channel.on === undefined) this.#channels.delete(name);
      throw error;
    } finally {
      channel.asks--;
    }
  }

  unlisten(name: string): void {
    if (!this.#channels.delete(name)) return;
    // Behind a connection that is lost there is nothing to be ended.
    void this.#connection.link?.run([{ text: `UNLISTEN ${quoted(name)}` }], this.#soon());
  }

  renew(why: Error): void {
    const wire = this.#connection.link;
    if (wire) this.#connection.lost(wire, why);
  }

  close(): void {
    this.#closed = true;
    this.#ping?.clear();
    this.#connection.close();
    this.#awaited.look();
  }

  #hopeless(): HoldfastError | undefined {
    if (this.#closed) return closedError(BACKEND);
    return this.#connection.hopeless ? this.#connection.problem : undefined;
  }

  #alive(client: PgClient): Wire {
    client.on("notification", ({ channel, payload = "" }) => {
      if (!this.#closed && this.#channels.has(channel)) this.#listening.notified(channel, payload);
    });
    return this.#options.alive(client, (wire, why) => this.#connection.lost(wire, why));
  }

  /** On a new connection. */
  async #prepare(wire: Wire, deadline: number): Promise<void> {
    if (!this.#options.trusted) await refusePooler(wire, deadline);
    const channels = [...this.#channels.values()];
    const answers = await wire.run(channels.map(listenQuery), deadline);
    const refused = answers.find((answer) => !answer.ok);
    if (refused && !refused.ok) throw refused.error;
    for (const channel of channels) channel.on = wire;
  }

  #opened(wire: Wire): void {
    // What was asked for while the others were being confirmed.
    this.#listenOn(
      wire,
      [...this.#channels.values()].filter(({ on }) => on !== wire),
    );
    this.#pingLater(wire);
    if (this.#before) this.#listening.gap();
    this.#before = true;
  }

  #listenOn(wire: Wire, channels: readonly Channel[]): void {
    const missing = channels.filter(({ on }) => on !== wire);
    if (missing.length === 0) return;
    void wire.run(missing.map(listenQuery), this.#soon()).then((answers) => {
      const refused = answers.find((answer) => !answer.ok);
      // A new connection begins anew with all of them.
      if (refused && !refused.ok) this.#connection.lost(wire, refused.error);
      else for (const channel of missing) channel.on = wire;
      this.#awaited.look();
    });
  }

  #pingLater(wire: Wire): void {
    this.#ping?.clear();
    this.#ping = this.#options.time.after(pingMs, () => {
      if (this.#connection.link !== wire) return;
      // A connection whose reply is overdue ends by itself.
      void wire.run([{ text: "SELECT" }], this.#soon()).then(() => {
        if (this.#connection.link === wire) this.#pingLater(wire);
      });
    });
  }

  #soon(): number {
    return this.#options.time.monotonic() + pingMs;
  }
}

function listenQuery({ name }: Channel): { readonly text: string } {
  return { text: `LISTEN ${quoted(name)}` };
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Asks the server for its own number of the connection. */
export const ownNumber: Query = { text: "SELECT pg_catalog.pg_backend_pid()" };

/** Whether that is the number that came when the connection was made: a pooler gives out numbers of its own. */
export function isOwnNumber({ rows }: Reply, { client }: Wire): boolean {
  return rows[0]?.[0] === client.processID;
}

/**
 * A pooler has numbers of its own for its clients' connections. One that pools transactions would lose notifications,
 * and what listens would be left behind on a connection of the server that others get next.
 */
async function refusePooler(wire: Wire, deadline: number): Promise<void> {
  const [answer] = await wire.run([ownNumber], deadline);
  if (answer?.ok !== true) throw answer?.error;
  if (isOwnNumber(answer.reply, wire)) return;
  throw new UnsupportedError(
    "there is a pooler in front of Postgres, through which notifications may not come: name the server as listenUrl",
    { backend: BACKEND },
  );
}

import { UnavailableError, UnsupportedError } from "../../../base/errors.ts";
import { drawId } from "../../../base/ids.ts";
import type { Time, Timer } from "../../../base/time.ts";
import { Awaited } from "../../common/awaited.ts";
import { before } from "../../common/deadline.ts";
import { closedError } from "../../common/failures.ts";
import { Reconnecting, type Attempt, type Failure, type Link } from "../../common/reconnecting.ts";

/** How long the server may take to answer on the connection, and a notification to come back, in ms. */
const patience = 5_000;
/**
 * The connection hears nothing while nothing is told, so it is asked for a sign of life so often, in ms: with
 * {@link patience} one that died in silence is noticed within 10 s. Whoever waits for a lock asks every second anyway.
 */
const askEvery = 5_000;
/**
 * That it lives does not mean that it hears: its server may not be the primary any more. Of so many signs of life one
 * is a notification of our own that must come back. Not all of them: each wakes every connection that listens in this
 * database, so what a process does now and then costs the server as much as the square of their number.
 */
const asksPerProbe = 12;
/** How many callers may wait until a channel is listened to. */
const mostWaiting = 10_000;

const backend = "postgres";

/** A connection that listens. It does not keep the process alive, unless something is asked of it. */
export interface ListenLink extends Link {
  /** Runs statements in one text. Rejects soon after the deadline at the latest; it is of no more use then. */
  run(text: string, deadline: number): Promise<unknown>;
}

/** Who makes such connections. */
export interface ListenConnector {
  /** Begins to connect: to the server itself, not through a pooler that hands connections on. */
  attempt(events: ListenEvents): Attempt<ListenLink>;
  /** What an error of an attempt or of a connection means. */
  meaning(error: unknown): Failure;
}

export interface ListenEvents {
  heard(channel: string, payload: string): void;
  /** The connection has failed. */
  lost(link: ListenLink, why: unknown): void;
}

export interface ListenerOptions {
  readonly time: Time;
  readonly connector: ListenConnector;
  /** Notifies a channel, by another connection. Rejects with a HoldfastError. */
  notify(channel: string, payload: string, deadline: number): Promise<void>;
  /** A channel for what nobody else is to hear. */
  readonly probeChannel: string;
  heard(channel: string, payload: string): void;
  /** The connection was lost and is back, and listens to all channels: what was told meanwhile is lost. */
  gap(): void;
}

/** Channels that are listened to on one connection, which is made again when it is lost. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #connection: Reconnecting<ListenLink, Attempt<ListenLink>>;
  readonly #pending: Awaited;
  readonly #wanted = new Set<string>();
  /** What the present connection listens to. */
  #listening = new Set<string>();
  #link: ListenLink | undefined;
  #syncing = false;
  #before = false;
  #probe: { readonly payload: string; readonly back: () => void } | undefined;
  #asks = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { time, connector } = options;
    this.#pending = new Awaited(backend, time, mostWaiting);
    this.#connection = new Reconnecting({
      time,
      attempt: () => this.#attempt(),
      meaning: (error) => (error instanceof UnsupportedError ? { error, final: true } : connector.meaning(error)),
      // Those who listen already are told nothing of a failure: it must not be the end.
      persists: () => this.#wanted.size > 0,
      opened: (link) => this.#opened(link),
      changed: () => this.#changed(),
    });
  }

  /** Resolves when the channel is listened to. Rejects with a HoldfastError. */
  async listen(channel: string, deadline: number): Promise<void> {
    this.#wanted.add(channel);
    this.#connection.start();
    void this.#sync();
    await this.#pending.wait(deadline, {
      done: () => this.#link !== undefined && this.#listening.has(channel),
      failed: () => {
        if (this.#closed) return closedError(backend);
        return this.#connection.hopeless ? this.#connection.problem : undefined;
      },
      problem: () => this.#connection.problem,
    });
  }

  unlisten(channel: string): void {
    this.#wanted.delete(channel);
    void this.#sync();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    this.#connection.close();
    this.#pending.look();
  }

  /** A connection is there once it listens to all that was wanted when it began, and hears what others notify. */
  #attempt(): Attempt<ListenLink> {
    const { connector, heard, probeChannel, time } = this.#options;
    const connecting = connector.attempt({
      heard: (channel, payload) => {
        if (channel !== probeChannel) heard(channel, payload);
        else if (payload === this.#probe?.payload) this.#probe.back();
      },
      lost: (link, why) => this.#connection.lost(link, why),
    });
    let abandoned: ((why: Error) => void) | undefined;
    return {
      establish: async () => {
        const link = await connecting.establish();
        try {
          const gone = new Promise<never>((_, reject) => (abandoned = reject));
          const wanted = [...this.#wanted];
          const work = async (): Promise<void> => {
            await link.run(listenTo([probeChannel, ...wanted], []), time.monotonic() + patience);
            await this.#hears();
          };
          await Promise.race([work(), gone]);
          this.#listening = new Set(wanted);
          return link;
        } catch (error) {
          link.close(error);
          throw error;
        }
      },
      abandon: (why) => {
        connecting.abandon(why);
        abandoned?.(why);
      },
    };
  }

  /** Notifies a channel of its own, and waits until that comes. Rejects where it does not. */
  async #hears(): Promise<void> {
    const { time, notify, probeChannel } = this.#options;
    const payload = drawId();
    const deadline = time.monotonic() + patience;
    const coming = new Promise<void>((resolve) => (this.#probe = { payload, back: resolve }));
    try {
      await notify(probeChannel, payload, deadline);
      await before(coming, { time, deadline, late: deaf, ref: false });
    } finally {
      if (this.#probe?.payload === payload) this.#probe = undefined;
    }
  }

  #opened(link: ListenLink): void {
    this.#link = link;
    this.#asks = 0;
    this.#askLater(link);
    if (this.#before) this.#options.gap();
    this.#before = true;
    void this.#sync();
  }

  #changed(): void {
    if (this.#connection.link !== this.#link) {
      this.#link = undefined;
      this.#timer?.clear();
    }
    this.#pending.look();
  }

  /** Has the connection listen to what is wanted now. */
  async #sync(): Promise<void> {
    if (this.#syncing) return;
    this.#syncing = true;
    try {
      for (let link = this.#link; link; link = this.#link) {
        const listening = this.#listening;
        const added = [...this.#wanted].filter((channel) => !listening.has(channel));
        const dropped = [...listening].filter((channel) => !this.#wanted.has(channel));
        if (added.length + dropped.length === 0) break;
        await this.#run(link, listenTo(added, dropped));
        for (const channel of added) listening.add(channel);
        for (const channel of dropped) listening.delete(channel);
        this.#pending.look();
      }
    } finally {
      this.#syncing = false;
    }
  }

  /** After a failure the connection is replaced, and its successor listens to everything. Never rejects. */
  async #run(link: ListenLink, text: string): Promise<void> {
    try {
      await link.run(text, this.#options.time.monotonic() + patience);
    } catch (error) {
      this.#connection.lost(link, error);
    }
  }

  #askLater(link: ListenLink): void {
    this.#timer?.clear();
    this.#timer = this.#options.time.after(askEvery * (0.75 + Math.random() / 2), () => void this.#ask(link));
  }

  async #ask(link: ListenLink): Promise<void> {
    this.#asks++;
    if (this.#asks % asksPerProbe === 0) await this.#probeNow(link);
    else await this.#run(link, "SELECT 1");
    if (link === this.#link && !this.#closed) this.#askLater(link);
  }

  async #probeNow(link: ListenLink): Promise<void> {
    try {
      await this.#hears();
    } catch (error) {
      // Where it could not be notified, nothing is known of the connection that listens.
      if (error instanceof UnsupportedError)
        this.#connection.lost(link, new UnavailableError(error.message, { backend }));
    }
  }
}

function listenTo(added: readonly string[], dropped: readonly string[]): string {
  return [...dropped.map((channel) => `UNLISTEN "${channel}"`), ...added.map((channel) => `LISTEN "${channel}"`)].join(
    "; ",
  );
}

function deaf(): UnsupportedError {
  return new UnsupportedError(
    "what is notified does not arrive on the connection that listens: it leads to another database, or through a " +
      "pooler that hands connections on with each transaction; give it a URL of its own, to the server itself: listenUrl",
    { backend },
  );
}

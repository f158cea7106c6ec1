import { UnsupportedError } from "../../../base/errors.ts";
import { drawId } from "../../../base/ids.ts";
import type { Time, Timer } from "../../../base/time.ts";
import { before } from "../../common/deadline.ts";
import type { Listener, Listening } from "../connections/listener.ts";

/** How long a notification of our own may take to come back, in ms. */
const patience = 2_500;
/**
 * How often one is sent, in ms. That the connection lives is asked more often, and of it alone; this finds out that it
 * lives and hears nothing, because its server is the primary no more. It is no more often because each notification
 * wakes all connections that listen in the database: the cost grows with the square of their number.
 */
const checkEvery = 60_000;

export interface EarOptions extends Listening {
  readonly time: Time;
  /** Makes the connection that listens. */
  listener(listening: Listening): Listener;
  /** A channel for a probe, of nobody else. */
  readonly channel: string;
  /** Notifies that channel, by the connections for calls. Rejects with a HoldfastError. */
  notify(payload: string, deadline: number): Promise<void>;
}

/** A connection that listens, and that is known to hear what is notified: a probe comes back, now and then again. */
export class Ear {
  readonly #options: EarOptions;
  readonly #listener: Listener;
  #coming: { readonly payload: string; readonly arrived: () => void } | undefined;
  /** The first probe; rejected ones are forgotten. */
  #first: Promise<void> | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: EarOptions) {
    this.#options = options;
    this.#listener = options.listener({
      notified: (channel, payload) => {
        if (channel !== options.channel) options.notified(channel, payload);
        else if (payload === this.#coming?.payload) this.#coming.arrived();
      },
      gap: () => {
        options.gap();
        void this.#checkAgain();
      },
    });
  }

  /**
   * Resolves when notifications of the channel come. Rejects with UnsupportedError where none do, and with another
   * HoldfastError.
   */
  async listen(channel: string, deadline: number): Promise<void> {
    this.#first ??= this.#begin(deadline);
    await Promise.all([this.#first, this.#listener.listen(channel, deadline)]);
  }

  unlisten(channel: string): void {
    this.#listener.unlisten(channel);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    this.#listener.close();
  }

  async #begin(deadline: number): Promise<void> {
    try {
      await this.#listener.listen(this.#options.channel, deadline);
      await this.#probe();
      this.#checkLater();
    } catch (error) {
      this.#first = undefined;
      throw error;
    }
  }

  #checkLater(): void {
    this.#timer?.clear();
    if (this.#closed) return;
    const ms = checkEvery * (0.75 + Math.random() / 2);
    this.#timer = this.#options.time.after(ms, () => void this.#checkAgain());
  }

  async #checkAgain(): Promise<void> {
    try {
      await this.#probe();
    } catch (error) {
      // Where it could not be sent, nothing is known of the connection that listens.
      if (error instanceof UnsupportedError && !this.#closed) this.#listener.renew(error);
    }
    this.#checkLater();
  }

  async #probe(): Promise<void> {
    const { time, notify } = this.#options;
    const payload = drawId();
    const coming = new Promise<void>((resolve) => {
      this.#coming = { payload, arrived: resolve };
    });
    await notify(payload, time.monotonic() + patience);
    await before(coming, { time, deadline: time.monotonic() + patience, late: deaf });
  }
}

function deaf(): UnsupportedError {
  return new UnsupportedError(
    "what is notified does not arrive on the connection that listens: it leads to another database or server, or " +
      "through a pooler; name the server itself as listenUrl",
    { backend: "postgres" },
  );
}

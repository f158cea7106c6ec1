import type { Time } from "../../base/time.ts";
import { before } from "../common/deadline.ts";

/** How long a close waits until the server has taken leave, in ms. */
const farewellMs = 1_000;

/** Connections of our own that are open, on the driver. */
export class OpenConnections<C> {
  readonly #time: Time;
  readonly #open = new Set<C>();
  #ended: () => void = () => undefined;

  constructor(time: Time) {
    this.#time = time;
  }

  add(connection: C): void {
    this.#open.add(connection);
  }

  /** The connection has ended. */
  delete(connection: C): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#ended();
  }

  /** Resolves when all that were closed have ended, and soon in any case: with those that have not. */
  async farewell(): Promise<ReadonlySet<C>> {
    if (this.#open.size === 0) return this.#open;
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve;
    });
    const time = this.#time;
    const late = (): Error => new Error("the server takes no leave");
    await before(ended, { time, deadline: time.monotonic() + farewellMs, late, ref: true }).catch(() => undefined);
    return this.#open;
  }
}

import { isHoldfastError } from "../../../base/errors.ts";
import type { Time, Timer } from "../../../base/time.ts";
import type { Router } from "../router.ts";
import { before } from "./before.ts";
import { enableNotifications } from "./notification-flags.ts";

/** How often the flags are looked at while somebody watches, for an operator may take them away; in ms. */
const patience = 60_000;
const firstPause = 1_000;
const longestPause = 30_000;

interface KeeperOptions {
  readonly router: Router;
  readonly time: Time;
  /** How long the servers may take, in ms. */
  readonly timeout: number;
  /** Changes may have gone untold until now. */
  onGap(): void;
}

/**
 * Keeps the flags without which the servers tell of no change: sets them before the first watch, and again when a
 * server may be without them, which is after it restarted, and when another has become primary.
 */
export class FlagKeeper {
  readonly #options: KeeperOptions;
  /** Settles when every primary has the flags; absent while that is not known. */
  #set: Promise<unknown> | undefined;
  #watching = false;
  /** Whether changes may have gone untold, and whether that was said. */
  #doubt: "none" | "untold" | "told" = "none";
  #verifying = false;
  #again = false;
  #pause = firstPause;
  #timer: Timer | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /**
   * Resolves when every primary has the flags, and keeps them there until {@link stop}. Rejects with a HoldfastError.
   */
  async start(deadline: number): Promise<void> {
    for (let set: Promise<unknown> | undefined; !set || set !== this.#set;) {
      set = this.#set ??= this.#enable(deadline);
      try {
        await set;
      } catch (error) {
        if (this.#set === set) this.#set = undefined;
        throw error;
      }
    }
    if (!this.#watching) this.#plan(patience);
    this.#watching = true;
  }

  /** Nobody watches any more. */
  stop(): void {
    this.#watching = false;
    this.#doubt = "none";
    this.#set = undefined;
    this.#timer?.clear();
  }

  /** The connection was lost, or the primaries have changed: tells of the gap when the flags are there again. */
  lost(): void {
    this.#set = undefined;
    this.#doubt = "untold";
    this.#pause = firstPause;
    if (this.#watching) void this.#verify();
  }

  #enable(deadline: number): Promise<boolean> {
    const { router, time } = this.#options;
    return before(enableNotifications(router, deadline), deadline, time, false);
  }

  #plan(ms: number): void {
    this.#timer?.clear();
    this.#timer = this.#options.time.after(ms, () => void this.#verify());
  }

  async #verify(): Promise<void> {
    this.#again = true;
    if (this.#verifying) return;
    this.#verifying = true;
    let next = patience;
    while (this.#again && this.#watching) {
      this.#again = false;
      next = await this.#look();
    }
    this.#verifying = false;
    if (this.#watching) this.#plan(next);
  }

  /** Sets the flags where they are missing; when to look again, in ms. */
  async #look(): Promise<number> {
    const { time, timeout, onGap } = this.#options;
    try {
      const added = await this.#enable(time.monotonic() + timeout);
      // What went untold before another process had set them again is as lost, so a doubt is told in any case.
      if (this.#watching && (added || this.#doubt !== "none")) onGap();
      this.#doubt = this.#again ? "untold" : "none";
      return patience;
    } catch (error) {
      // Where they can no longer be set, whoever watches is made to read again now and then.
      const forbidden = isHoldfastError(error, "UNSUPPORTED");
      if (this.#watching && (this.#doubt !== "told" || forbidden)) onGap();
      this.#doubt = "told";
      const pause = this.#pause;
      this.#pause = Math.min(2 * pause, longestPause);
      return forbidden ? patience : pause;
    }
  }
}

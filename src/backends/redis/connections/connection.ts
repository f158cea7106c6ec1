import { UnavailableError, type HoldfastError } from "../../../base/errors.ts";
import type { Time, Timer } from "../../../base/time.ts";
import { RedisFailure, type Arg, type Reply } from "../router.ts";
import { Attempt } from "./attempt.ts";
import { attemptFailure, BACKEND, isUnknownHost, type Hide } from "./failures.ts";
import { Live } from "./live.ts";
import { pauseBefore } from "./pauses.ts";
import type { Dial, Endpoint, Role, Wire } from "./wire.ts";

/** A connection that lived shorter is no success: its loss does not start the pauses anew. */
const SUCCESS_MS = 1_000;
/** How long a connection to a server that is no primary any more may still wait for replies. */
export const RETIRED_MS = 5_000;
/** After an attempt that showed that none will work, the next one is not made before. */
const FINAL_PAUSE_MS = 1_000;

/** What all connections of a router have in common. */
export interface Common {
  readonly dial: Dial;
  readonly time: Time;
  readonly hide: Hide;
  /** For one attempt, up to the server's first answer. */
  readonly connectTimeout: number;
  /** Whether TLS is spoken; undefined where the driver finds the server itself. */
  readonly secure?: boolean | undefined;
  /** Called when a connection for commands is there: what was known of the servers may be no longer so. */
  readonly reached?: (() => void) | undefined;
}

export interface ConnectionOptions extends Common {
  readonly role: Role;
  /** There is no other host: one that has no address, and never had one, is not tried again by itself. */
  readonly onlyHost?: boolean | undefined;
  /** Asked before each attempt. */
  endpoint(): Endpoint | Promise<Endpoint>;
  /** Called with each new wire before anybody uses it; when it rejects, the attempt has failed. */
  prepare?(wire: Wire): Promise<void>;
  /** Whether it is tried again by itself also after a failure that was final, with a long pause. Asked each time; default: no. */
  persists?(): boolean;
  /** Called after each change: ready, lost, an attempt failed. */
  changed(): void;
}

/** A connection that comes back after a loss. It starts with {@link start}, and does not keep the process alive by itself. */
export class Connection {
  readonly #options: ConnectionOptions;
  #live: Live | undefined;
  #openedAt: number | undefined;
  #where = "";
  #attempting: Attempt | undefined;
  #attempts = 0;
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #retiredAt = Number.NEGATIVE_INFINITY;
  #problem: HoldfastError | undefined;
  #final = false;
  #closed = false;
  #pause: Timer | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get ready(): boolean {
    return this.#live !== undefined;
  }

  /** The open wire. */
  get wire(): Wire | undefined {
    return this.#live?.wire;
  }

  /** Where the open wire leads, or the last one did. */
  get where(): string {
    return this.#where;
  }

  /** Why the last attempt failed, or the first has not come to an end; undefined after a success. */
  get problem(): HoldfastError | undefined {
    const { silence = "", where = "" } = this.#attempting ?? {};
    return this.#problem ?? (silence === "" ? undefined : attemptFailure(new Error(silence), where, String).error);
  }

  /** How many attempts have failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether waiting is of no use: the last attempt showed that none will work. */
  get hopeless(): boolean {
    return this.#final && !this.#attempting;
  }

  /** Whether an attempt has come to an end. */
  get tried(): boolean {
    return this.ready || this.#problem !== undefined;
  }

  /** Begins to connect, if it has not. After a failure that was final it tries again, but not at once. */
  start(): void {
    if (this.#closed || this.#live || this.#attempting) return;
    if (this.#final) {
      if (this.#options.time.monotonic() - this.#failedAt < FINAL_PAUSE_MS) return;
    } else if (this.#pause) return;
    this.#attemptNow();
  }

  /** Rejects with RedisFailure. */
  send(args: readonly Arg[]): Promise<Reply> {
    if (this.#live) return this.#live.send(args);
    return Promise.reject(new RedisFailure("the command was not sent: there is no connection", false));
  }

  /**
   * Takes no more commands on the present connection and makes a new one; what is pending may still be answered. An attempt under
   * way begins anew: where it leads was asked before. Nothing is done if it leads to `to` already.
   */
  renew(to?: string): void {
    const attempt = this.#attempting;
    if (this.#closed || (to !== undefined && to === (attempt ? attempt.where : this.#where))) return;
    if (attempt) {
      attempt.outdated = true;
      attempt.abandon(new Error("abandoned"));
      return;
    }
    const live = this.#live;
    if (!live) {
      if (!this.#pause) return;
      this.#attempts = 0;
      this.#attemptNow();
      return;
    }
    const now = this.#options.time.monotonic();
    if (now - this.#retiredAt < SUCCESS_MS) return;
    this.#retiredAt = now;
    this.#live = undefined;
    live.retire(RETIRED_MS);
    this.#options.changed();
    this.#retry();
  }

  /** Ends it. With `ms`, what is pending may still be answered for so long. */
  close(ms?: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause?.clear();
    this.#attempting?.abandon(new Error("closed"));
    if (ms === undefined) this.#live?.close();
    else this.#live?.retire(ms);
    this.#live = undefined;
    this.#options.changed();
  }

  /** Without the pause before it, if there is one. */
  #attemptNow(): void {
    this.#pause?.clear();
    this.#pause = undefined;
    void this.#attempt();
  }

  async #attempt(): Promise<void> {
    const { time, hide, changed } = this.#options;
    const attempt = new Attempt(this.#options, this.#isNew);
    this.#attempting = attempt;
    try {
      const live = await attempt.establish({
        alive: (wire) => this.#alive(wire),
        lost: (one, why) => this.#lost(one, why),
      });
      if (attempt.outdated || this.#closed) {
        live.close();
        throw new Error("abandoned");
      }
      this.#attempting = undefined;
      this.#live = live;
      this.#where = attempt.where ?? "";
      this.#openedAt = time.monotonic();
      this.#problem = undefined;
      this.#final = false;
      if (this.#options.role === "commands") this.#options.reached?.();
    } catch (error) {
      this.#attempting = undefined;
      if (this.#closed) return;
      if (attempt.outdated) {
        void this.#attempt();
        return;
      }
      const failure = attemptFailure(error, attempt.where ?? "the server", hide);
      this.#problem = failure.error;
      this.#final = failure.final || (this.#isNew && this.#options.onlyHost === true && isUnknownHost(error));
      this.#failedAt = time.monotonic();
      this.#failures++;
      this.#attempts++;
      if (!this.#final) this.#retry();
      else if (this.#options.persists) this.#retry(pauseBefore(Infinity));
    }
    changed();
  }

  /** It never was open. */
  get #isNew(): boolean {
    return this.#openedAt === undefined;
  }

  #alive(wire: Wire): Live {
    const holds = this.#options.role === "commands" || this.#options.role === "renewals";
    const live: Live = new Live(wire, this.#options.time, this.#options.hide, holds, {
      silent: () => this.#lost(live, new Error("the server has been silent for too long")),
      replica: () => {
        if (this.#live === live) this.renew();
      },
    });
    return live;
  }

  #lost(live: Live, why: unknown): void {
    live.close(why);
    if (this.#live !== live) return;
    this.#live = undefined;
    this.#problem = attemptFailure(why, "the server", this.#options.hide).error;
    if (this.#options.time.monotonic() - (this.#openedAt ?? 0) >= SUCCESS_MS) this.#attempts = 0;
    this.#retry();
    this.#options.changed();
  }

  #retry(pause = pauseBefore(this.#attempts)): void {
    if (this.#closed || this.#attempting || this.#pause) return;
    this.#pause = this.#options.time.after(pause, () => {
      this.#pause = undefined;
      if (!this.#final || this.#options.persists?.()) void this.#attempt();
    });
  }
}

/** What is said to those who ask after the end. */
export function closedError(): UnavailableError {
  return new UnavailableError("the backend is closed", { backend: BACKEND });
}

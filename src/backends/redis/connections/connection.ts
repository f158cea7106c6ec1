import { UnavailableError, type HoldfastError } from "../../../base/errors.ts";
import { Reconnecting } from "../../common/reconnecting.ts";
import { RedisFailure, type Arg, type Reply } from "../router.ts";
import { DialAttempt } from "./attempt.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { attemptFailure, BACKEND, isUnknownHost, unanswered } from "./failures.ts";
import { Live } from "./live.ts";
import type { Wire } from "./wire.ts";

/**
 * A connection that comes back after a loss. It starts with {@link start}, and does not keep the process alive by
 * itself.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #reconnecting: Reconnecting<Live, DialAttempt>;
  #where = "";

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { time, hide, role, onlyHost, persists, reached, changed } = options;
    const alive = (wire: Wire): Live => this.#alive(wire);
    const lost = (live: Live, why: unknown): void => this.#reconnecting.lost(live, why);
    this.#reconnecting = new Reconnecting({
      time,
      attempt: (isNew) => new DialAttempt(options, isNew, { alive, lost }),
      meaning: (error, attempt, isNew) => {
        const failure = attemptFailure(error, attempt?.where ?? "the server", hide);
        return isNew && onlyHost === true && isUnknownHost(error) ? { ...failure, final: true } : failure;
      },
      persists: persists && ((): boolean => persists()),
      opened: (_live, attempt) => {
        this.#where = attempt.where ?? "";
        if (role === "commands") reached?.();
      },
      changed,
    });
  }

  get ready(): boolean {
    return this.#reconnecting.link !== undefined;
  }

  /** The open wire. */
  get wire(): Wire | undefined {
    return this.#reconnecting.link?.wire;
  }

  /** Where the open wire leads, or the last one did. */
  get where(): string {
    return this.#where;
  }

  /** Why the last attempt failed, or what the first waits for; undefined after a success. */
  get problem(): HoldfastError | undefined {
    const { problem, attempting } = this.#reconnecting;
    if (problem || !attempting) return problem;
    const { silence, where } = attempting;
    if (where === undefined)
      return new UnavailableError("where the server is was not found out yet", { backend: BACKEND });
    return silence === "" ? unanswered(where) : attemptFailure(new Error(silence), where, String).error;
  }

  /** How many attempts have failed. */
  get failures(): number {
    return this.#reconnecting.failures;
  }

  /** Whether waiting is of no use: the last attempt showed that none will work. */
  get hopeless(): boolean {
    return this.#reconnecting.hopeless;
  }

  /** Whether an attempt has come to an end. */
  get tried(): boolean {
    return this.ready || this.#reconnecting.problem !== undefined;
  }

  /** Begins to connect, if it has not. After a failure that was final it tries again, but not at once. */
  start(): void {
    this.#reconnecting.start();
  }

  /** Rejects with RedisFailure. */
  send(args: readonly Arg[]): Promise<Reply> {
    const live = this.#reconnecting.link;
    if (live) return live.send(args);
    return Promise.reject(new RedisFailure("the command was not sent: there is no connection", false));
  }

  /**
   * Takes no more commands on the present connection and makes a new one; what is pending may still be answered. An
   * attempt under way begins anew: where it leads was asked before. Nothing is done if it leads to `to` already.
   */
  renew(to?: string): void {
    const { attempting } = this.#reconnecting;
    if (to === undefined || to !== (attempting ? attempting.where : this.#where)) this.#reconnecting.renew();
  }

  /** Ends it. With `ms`, what is pending may still be answered for so long. */
  close(ms?: number): void {
    this.#reconnecting.close(ms);
  }

  #alive(wire: Wire): Live {
    const { time, hide, role } = this.#options;
    const live: Live = new Live(wire, time, hide, role === "commands" || role === "renewals", {
      silent: () => this.#reconnecting.lost(live, new Error("the server has been silent for too long")),
      replica: () => {
        if (this.#reconnecting.link === live) this.#reconnecting.renew();
      },
    });
    return live;
  }
}

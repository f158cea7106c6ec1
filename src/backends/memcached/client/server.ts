import { isHoldfastError, UnavailableError, type HoldfastError } from "../../../base/errors.ts";
import type { Time } from "../../../base/time.ts";
import { Awaited } from "../../common/awaited.ts";
import { Reconnecting } from "../../common/reconnecting.ts";
import { StoreError } from "../../store/index.ts";
import { Attempt, BACKEND } from "./attempt.ts";
import type { Link } from "./link.ts";
import type { Server, Settings } from "./options.ts";

/** After so many attempts in a row that failed, nobody waits for the server any more. */
const mostStrikes = 3;

/**
 * One server: a connection that is made anew when it is lost. A server that cannot be reached is ejected: what is asked
 * of it fails at once, and it is probed until it answers again. Its keys stay its own. If they went to other servers
 * meanwhile, it would come back with what it had held before, and that would be read.
 */
export class ServerConnection {
  readonly server: Server;
  readonly #reconnecting: Reconnecting<Link, Attempt>;
  readonly #awaited: Awaited;
  readonly #time: Time;
  #strikes = 0;
  #closed = false;

  constructor(server: Server, settings: Settings, time: Time) {
    this.server = server;
    this.#time = time;
    this.#awaited = new Awaited(BACKEND, time, settings.maxWaiting);
    const lost = (link: Link, why: Error): void => this.#reconnecting.lost(link, why);
    this.#reconnecting = new Reconnecting<Link, Attempt>({
      time,
      attempt: () => new Attempt(server, settings, time, lost),
      meaning: (error, attempt) => {
        if (attempt) this.#strikes++;
        const known = isHoldfastError(error) ? error : this.#away(error);
        return { error: known, final: !isHoldfastError(known, "UNAVAILABLE") };
      },
      opened: () => {
        this.#strikes = 0;
      },
      changed: () => this.#awaited.look(),
    });
  }

  /** The connection, while there is one. */
  get link(): Link | undefined {
    return this.#reconnecting.link;
  }

  /** Why there is no connection, where that is known. */
  get problem(): HoldfastError | undefined {
    return this.#reconnecting.problem;
  }

  /**
   * The connection, as soon as there is one. Rejects with StoreError where there is none by the deadline, and at once
   * where the server is ejected; with a HoldfastError where it can never work.
   */
  async connected({ deadline }: { readonly deadline: number }): Promise<Link> {
    const reconnecting = this.#reconnecting;
    reconnecting.start();
    const { problem } = reconnecting;
    const failed = (): HoldfastError | undefined => {
      if (this.#closed) return new UnavailableError("the client is closed", { backend: BACKEND });
      return this.#strikes >= mostStrikes || reconnecting.hopeless ? reconnecting.problem : undefined;
    };
    try {
      await this.#awaited.wait(deadline, {
        done: () => reconnecting.link !== undefined,
        failed,
        problem: () => reconnecting.problem ?? problem,
      });
    } catch (error) {
      if (!isHoldfastError(error, "UNAVAILABLE")) throw error;
      throw new StoreError(error.message, { sent: false, cause: error });
    }
    const { link } = reconnecting;
    // Whoever waited may have been told meanwhile that it was too late.
    if (link && this.#time.monotonic() < deadline) return link;
    throw new StoreError("the server could not be reached in time", { sent: false });
  }

  /** Resolves once it is known whether the server is there, and at the deadline. */
  async tried({ deadline }: { readonly deadline: number }): Promise<void> {
    const reconnecting = this.#reconnecting;
    reconnecting.start();
    const done = (): boolean => this.#closed || (reconnecting.link ?? reconnecting.problem) !== undefined;
    const none = (): undefined => undefined;
    await this.#awaited.wait(deadline, { done, failed: none, problem: none }).catch(none);
  }

  close(): void {
    this.#closed = true;
    this.#reconnecting.close();
  }

  #away(error: unknown): UnavailableError {
    const why = error instanceof Error ? error.message : String(error);
    return new UnavailableError(`${this.server.name}: ${why}`, { backend: BACKEND, cause: error });
  }
}

import { isHoldfastError, UnavailableError } from "../../../base/errors.ts";
import type { Reply } from "../router.ts";
import { askOnce } from "./ask-once.ts";
import type { Common } from "./connection-options.ts";
import { attemptFailure, BACKEND, isReply } from "./failures.ts";
import { refuse } from "./options.ts";
import { Subscriptions } from "./subscriptions.ts";
import { showEndpoint, type Endpoint, type Wire } from "./wire.ts";

/** Where sentinels tell that another server is the master now. */
const SWITCHED = "+switch-master";

export interface SentinelOptions extends Common {
  readonly sentinels: readonly Endpoint[];
  readonly master: string;
}

/**
 * Finds the master through its sentinels, and listens to one of them for the next one. The master is reached by an
 * ordinary connection, so that nothing is ever sent twice on the way.
 */
export class SentinelFinder {
  readonly #options: SentinelOptions;
  readonly #watch: Subscriptions;
  /** The sentinel to ask first: the last that answered. */
  #first = 0;
  /** The sentinel to listen to next, and the one that is listened to. */
  #next = 0;
  #watched = 0;
  #watching = false;
  #closed = false;

  /**
   * `moved` is called when there is another master, and when there may be one, after a time without a sentinel to
   * listen to: then it is named, and what leads to it already need not move.
   */
  constructor(options: SentinelOptions, moved: (to?: Endpoint) => void) {
    this.#options = options;
    this.#watch = new Subscriptions(
      {
        message: (_channel, body) => {
          if (body.toString().split(" ", 1)[0] !== options.master) return;
          // The others may not have heard of it yet.
          this.#first = this.#watched;
          moved();
        },
        gap: () => void this.#compare(moved),
      },
      // Between the first answer and the beginning of the watch there may have been another master, too.
      { ...options, role: "sentinels", late: true, maxWaiting: 1, endpoint: () => this.#nextWatched() },
    );
  }

  /** The master's address, of the first sentinel that knows it. Rejects with a HoldfastError. */
  async find(): Promise<Endpoint> {
    const { sentinels, master } = this.#options;
    const problems: string[] = [];
    let strangers = 0;
    const start = this.#first;
    for (let i = 0; i < sentinels.length && !this.#closed; i++) {
      const at = (start + i) % sentinels.length;
      const sentinel = sentinels[at] as Endpoint;
      try {
        const found = masterOf(
          await askOnce(
            this.#options,
            sentinel,
            "sentinels",
            ["SENTINEL", "get-master-addr-by-name", master],
            !this.#watching,
          ),
        );
        if (found) {
          this.#first = at;
          this.#startWatch();
          return found;
        }
        strangers++;
      } catch (error) {
        const failure = attemptFailure(error, `the sentinel ${showEndpoint(sentinel)}`, this.#options.hide);
        if (failure.final) throw failure.error;
        problems.push(failure.error.message);
        this.#first = (at + 1) % sentinels.length;
      }
    }
    if (strangers > 0 && problems.length === 0) refuse(`no sentinel knows a master named ${JSON.stringify(master)}`);
    throw new UnavailableError(`no sentinel tells where the master is: ${problems.join("; ")}`, { backend: BACKEND });
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
  }

  #startWatch(): void {
    if (this.#watching || this.#closed) return;
    this.#watching = true;
    this.#next = this.#first;
    this.#watch.want("channel", SWITCHED);
  }

  /** Another sentinel at each attempt. */
  #nextWatched(): Endpoint {
    this.#watched = this.#next;
    this.#next = (this.#next + 1) % this.#options.sentinels.length;
    return this.#options.sentinels[this.#watched] as Endpoint;
  }

  /** After a time without a sentinel to listen to. */
  async #compare(moved: (to: Endpoint) => void): Promise<void> {
    this.#first = this.#watched;
    let to: Endpoint;
    try {
      to = await this.find();
    } catch (error) {
      // Nobody knows of another master; the connections to this one find out for themselves when it is gone.
      if (isHoldfastError(error)) return;
      throw error;
    }
    moved(to);
  }
}

function masterOf(reply: Reply): Endpoint | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [host, port] = reply as readonly Reply[];
  const number = Number(String(port));
  return host === undefined || !Number.isInteger(number) ? undefined : { host: String(host), port: number };
}

/** Rejects unless the wire leads to a primary. A user who may not ask learns it from the first write. */
export async function requirePrimary(wire: Wire): Promise<void> {
  let reply: Reply;
  try {
    reply = await wire.send(["ROLE"]);
  } catch (error) {
    if (isReply(error) && error.message.startsWith("NOPERM")) return;
    throw error;
  }
  const role = Array.isArray(reply) ? String((reply as readonly Reply[])[0]) : "unknown";
  if (role !== "master") throw new Error(`it is no primary (its role is ${role}), though a sentinel names it as one`);
}

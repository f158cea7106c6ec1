import { systemTime, type Time } from "../../base/time.ts";
import type { Limit, SqlClient } from "../sql/client.ts";
import { LanesClient } from "../sql/lanes-client.ts";
import type { Answer } from "./connections/answers.ts";
import { isOwnNumber, ownNumber, type Listener, type Listening } from "./connections/listener.ts";
import {
  resolveConnectionOptions,
  type PostgresConnectionOptions,
  type ResolvedConnectionOptions,
} from "./connections/options.ts";
import { postgresTrips, refusedRead } from "./connections/trips.ts";
import type { Wire } from "./connections/wire.ts";
import { Wiring } from "./connections/wiring.ts";

export type { Listener, Listening } from "./connections/listener.ts";
export type { PostgresConnectionOptions } from "./connections/options.ts";

/** How many statements that only read are under way at once, on the one connection that they share. */
const readsAtOnce = 256;

/** The way to a Postgres. */
export interface PostgresClient extends SqlClient {
  /** Channels on a connection of their own, from the first on that somebody listens to. It ends with the client. */
  listener(listening: Listening): Listener;
  /**
   * Whether a pooler hides the server from those who listen, and nobody has said where to listen instead. Rejects as
   * `read` does.
   */
  isDeaf(limit: Limit): Promise<boolean>;
}

/** The way to the server that `options` name. No I/O. Throws InvalidArgumentError. */
export function postgresClient(options: PostgresConnectionOptions, time: Time = systemTime): PostgresClient {
  return new Client(resolveConnectionOptions(options), time);
}

/**
 * One connection is shared by all statements that only read; the others are for one caller at a time. Reads and calls
 * have the application's pool, where it has given one.
 */
class Client extends LanesClient<Wire> implements PostgresClient {
  readonly #options: ResolvedConnectionOptions;
  readonly #wiring: Wiring;
  readonly #listeners = new Set<Listener>();

  constructor(options: ResolvedConnectionOptions, time: Time) {
    const { pool, maxConnections, maxWaiting, hide } = options;
    const wiring = new Wiring(options, time);
    const calls = pool ? wiring.poolLane(pool) : wiring.lane(maxConnections, 1);
    super({
      time,
      maxWaiting,
      trips: postgresTrips({ time, hide }),
      calls,
      reads: pool ? calls : wiring.lane(1, readsAtOnce),
      renewals: wiring.lane(2, 1),
      farewell: async () => wiring.farewell(),
    });
    this.#options = options;
    this.#wiring = wiring;
  }

  async open(limit: Limit): Promise<void> {
    await this.read({ text: "SELECT 1", values: [] }, limit);
  }

  async isDeaf({ deadline }: Limit): Promise<boolean> {
    const { listenTargets, hide } = this.#options;
    if (listenTargets !== undefined) return false;
    return this.reading(deadline, async (link) => {
      const [answer] = (await link.run([ownNumber], deadline)) as [Answer];
      return answer.ok ? { found: !isOwnNumber(answer.reply, link) } : refusedRead(answer, hide);
    });
  }

  listener(listening: Listening): Listener {
    const listener = this.#wiring.listener(listening);
    this.#listeners.add(listener);
    return listener;
  }

  override async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await super.close();
  }
}

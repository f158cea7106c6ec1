import { systemTime, type Time } from "../../base/time.ts";
import type { Limit, Reply, SqlClient, Statement } from "../sql/client.ts";
import { LanesClient } from "../sql/lanes-client.ts";
import {
  resolveConnectionOptions,
  type MySqlConnectionOptions,
  type ResolvedConnectionOptions,
} from "./connections/options.ts";
import { mysqlTrips } from "./connections/trips.ts";
import type { Wire } from "./connections/wire.ts";
import { Wiring } from "./connections/wiring.ts";
import { ask, serverOf, unknownServer, type Server } from "./server.ts";
import { alone } from "./statement.ts";

/** How many connections there are at most for statements that only read, and for the renewals of leases. */
const few = 2;

/** The way to a MySQL or MariaDB. */
export interface MySqlClient extends SqlClient {
  /** The database of its connections; undefined where a pool names none. */
  readonly database: string | undefined;
  /** What is known of the server, once it is open. */
  readonly server: Server;
}

/** The way to the server that `options` name. No I/O. Throws InvalidArgumentError. */
export function mysqlClient(options: MySqlConnectionOptions, time: Time = systemTime): MySqlClient {
  return new Client(resolveConnectionOptions(options), time);
}

/** Each connection is for one caller at a time. Reads and calls have the application's pool, where it has given one. */
class Client extends LanesClient<Wire> implements MySqlClient {
  server: Server = unknownServer;
  readonly database: string | undefined;
  readonly #own: boolean;

  constructor(options: ResolvedConnectionOptions, time: Time) {
    const { pool, maxConnections, maxWaiting, database } = options;
    const wiring = new Wiring(options, { time, mostBytes: () => this.server.mostBytes });
    const calls = pool ? wiring.poolLane(pool) : wiring.lane(maxConnections);
    super({
      time,
      maxWaiting,
      trips: mysqlTrips,
      calls,
      reads: pool ? calls : wiring.lane(few),
      renewals: wiring.lane(few),
      farewell: async () => wiring.farewell(),
    });
    this.database = database;
    this.#own = pool === undefined;
  }

  async open(limit: Limit): Promise<void> {
    this.server = serverOf(await this.read(ask, limit));
  }

  override write(make: () => Statement | undefined, limit: Limit): Promise<Reply | undefined> {
    return super.write(() => {
      const statement = make();
      return statement && alone(statement, this.#own);
    }, limit);
  }
}

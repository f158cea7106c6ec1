import type { Socket } from "node:net";
import { driverMissing, loadDriver } from "../../common/driver.ts";
import { dependency } from "../dependency.ts";
import { BACKEND } from "./errors.ts";

/** The part of package mysql2 that is used. */
export interface MySqlDriver {
  createConnection(config: object): DriverConnection;
}

/** What a connection of mysql2 is, one of its own or of a pool. */
export interface DriverConnection {
  query(query: DriverQuery, answered: (error: unknown, results?: unknown) => void): unknown;
  on(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  removeListener(event: "error" | "end", listener: (error?: unknown) => void): unknown;
  /** Takes it out of its pool too, if it is of one. */
  destroy(): void;
  readonly config?: { readonly clientFlags?: number | undefined } | undefined;
  /** The socket. */
  readonly stream: Pick<Socket, "destroy" | "unref" | "once">;
}

/** A connection that is not of a pool. */
export interface OwnConnection extends DriverConnection {
  connect(done: (error?: Error | null) => void): void;
  /** Says goodbye to the server. */
  end(): unknown;
}

/** A connection that was taken from a pool. */
export interface PooledConnection extends DriverConnection {
  release(): void;
}

/** A pool of mysql2, not of mysql2/promise. */
export interface DriverPool {
  getConnection(done: (error: Error | null, connection?: PooledConnection) => void): void;
  readonly config: {
    readonly connectionConfig: Readonly<Record<string, unknown>>;
    /** 0 stands for no limit. */
    readonly connectionLimit?: number | undefined;
  };
}

/**
 * Options of a query. They win over those of the connection, whose own may be an application's: with them each reply is
 * the same whatever it has set for dates, numbers, JSON and the shape of rows.
 */
export interface DriverQuery {
  readonly sql: string;
  /**
   * Not left out: with `namedPlaceholders` the driver looks for names where there are no values. With null, which it
   * takes on connections of ours, it does not read the text at all.
   */
  readonly values: readonly never[] | null;
  readonly rowsAsArray: true;
  readonly nestTables: false;
  readonly typeCast: (field: { buffer(): Buffer | null }) => Buffer | null;
}

/** Every column as the bytes that the server sends: integers are ASCII digits. */
const typeCast: DriverQuery["typeCast"] = (field) => field.buffer();

/** `own`: for a connection of ours. */
export function queryOf(sql: string, own: boolean): DriverQuery {
  return { sql, values: own ? null : [], rowsAsArray: true, nestTables: false, typeCast };
}

/** CLIENT_MULTI_STATEMENTS, of the protocol. */
const multiStatements = 1 << 16;

/** Whether the server takes several statements in one text on this connection. */
export function isTogether({ config }: DriverConnection): boolean {
  return ((config?.clientFlags ?? 0) & multiStatements) !== 0;
}

/** Whether a pool gave no connection because it was ended, which the driver tells by its words alone. */
export function isPoolEnd(error: unknown): boolean {
  return error instanceof Error && error.message === "Pool is closed.";
}

/** Loads package mysql2. Rejects with UnsupportedError. */
export async function loadMySql(): Promise<MySqlDriver> {
  const { default: driver } = await loadDriver(BACKEND, dependency, async () => import("mysql2"));
  if (typeof (driver as Partial<typeof driver> | undefined)?.createConnection === "function") {
    return driver as unknown as MySqlDriver;
  }
  throw driverMissing(BACKEND, dependency, "and what is installed under that name is another");
}

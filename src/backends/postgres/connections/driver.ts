import { loadDriver } from "../../common/driver.ts";
import { dependency } from "../dependency.ts";
import { BACKEND } from "./errors.ts";

/** The part of package pg that is used. */
export interface PgDriver {
  readonly Client: PgClientType;
}

export type PgClientType = new (config: PgConfig) => PgClient;

/** What a client of pg takes: see its documentation. */
export type PgConfig = Readonly<Record<string, unknown>>;

/** A client of pg: one connection, for one life. */
export interface PgClient {
  connect(): Promise<unknown>;
  query(query: PgQuery, answered: (error: unknown, result: PgResult | readonly PgResult[]) => void): unknown;
  end(): Promise<unknown>;
  unref(): void;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "notification", listener: (message: PgNotification) => void): unknown;
  removeListener(event: "error", listener: (error: unknown) => void): unknown;
  removeListener(event: "end", listener: () => void): unknown;
  /** Whether it writes a query before the one ahead of it is answered. */
  readonly pipeline?: boolean | undefined;
  /** The number that the server, or a pooler, gave the connection. */
  readonly processID?: number | null | undefined;
  readonly connection: {
    readonly stream: { destroy(): unknown; cork?(): void; uncork?(): void };
    /** Texts by the names that the server has prepared. */
    readonly parsedStatements?: Readonly<Record<string, string>> | undefined;
  };
}

/** A pool of the application. */
export interface PgPool {
  connect(): Promise<PgPoolClient>;
  /** What its clients are made with. */
  readonly options: PgConfig & { readonly max?: number | undefined };
  readonly Client: PgClientType;
  /** Whether it was ended. */
  readonly ending?: boolean | undefined;
}

export interface PgPoolClient extends PgClient {
  /** With an error the pool does not use it any more. */
  release(error?: Error): void;
  /** What the server said last of its transaction: `I` where there is none. From pg 8.21 on. */
  getTransactionStatus?(): string | null;
}

export interface PgQuery {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  readonly name?: string | undefined;
  readonly rowMode: "array";
  readonly types: { getTypeParser(oid: number, format?: string): (text: string) => unknown };
}

export interface PgResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly (readonly unknown[])[];
}

export interface PgNotification {
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** Loads package pg. Rejects with UnsupportedError. */
export async function loadPg(): Promise<PgDriver> {
  return loadDriver(BACKEND, dependency, async () => (await import("pg")) as unknown as PgDriver);
}

/**
 * How columns are read: `bytea` as a Buffer, integers and floats as numbers (all of ours are below 2^53), `bool` as a
 * boolean, everything else as the text that the server sends. An application may have changed the driver's own readers.
 */
export const columnTypes: PgQuery["types"] = {
  getTypeParser(oid) {
    switch (oid) {
      case 16:
        return (text) => text === "t";
      case 17:
        return (text) => Buffer.from(text.slice(2), "hex");
      case 20:
      case 21:
      case 23:
      case 26:
      case 700:
      case 701:
        return Number;
      default:
        return (text) => text;
    }
  },
};

import { InvalidArgumentError } from "../../base/errors.ts";
import type { OwnConnection } from "../../port/index.ts";
import type { Reply, Statement } from "./client.ts";
import type { OwnDialect } from "./own-dialect.ts";

/** The work of each connection that is under way, whoever has asked for it. */
const lines = new WeakMap<object, Promise<unknown>>();

/** A connection of the application. */
export class Foreign {
  readonly #connection: OwnConnection;
  readonly #own: OwnDialect;

  /** Throws InvalidArgumentError for what has no `query`. */
  constructor(connection: unknown, own: OwnDialect, backend: string) {
    if (!hasFunction(connection, "query")) {
      throw new InvalidArgumentError("a connection must be a client of the driver, or have a function query", {
        backend,
      });
    }
    this.#connection = connection;
    this.#own = own;
  }

  /** Does work of several statements once all that came before on this connection is over. */
  async inLine<R>(work: () => Promise<R>): Promise<R> {
    const inner = innerOf(this.#connection);
    const before = lines.get(inner);
    const after = before ? before.then(work, work) : work();
    lines.set(inner, after);
    return after;
  }

  /** A statement as the server is asked it. */
  partsOf(statement: Statement): readonly Statement[] {
    return this.#own.partsOf(statement);
  }

  /** Runs one of them. Rejects with an SqlError. */
  async ask({ text, values }: Statement): Promise<Reply> {
    let result: unknown;
    try {
      result = await promising(this.#connection).query(text, values.map(String));
    } catch (error) {
      throw this.#own.failure(error);
    }
    const rows = rowsIn(result).map((row) => columnsOf(row).map((value) => this.#own.column(value)));
    return { rows, changed: 0 };
  }
}

/**
 * One connection of a driver, of which several objects may be given: that with promises has the one with callbacks
 * inside. What else is called so may be what many connections share.
 */
function innerOf(given: object): object {
  const { connection } = given as { readonly connection?: unknown };
  return hasFunction(connection, "promise") ? connection : given;
}

/** A connection that takes callbacks may have one beside it that gives promises. */
function promising(connection: OwnConnection): OwnConnection {
  return hasFunction(connection, "promise") ? (connection.promise() as OwnConnection) : connection;
}

/** Rows as a driver gives them: an array, `{ rows }`, or the first of an array beside what is told of them. */
function rowsIn(result: unknown): readonly unknown[] {
  if (Array.isArray(result)) return Array.isArray(result[0]) ? (result[0] as unknown[]) : (result as unknown[]);
  const { rows } = (result ?? {}) as { readonly rows?: unknown };
  return Array.isArray(rows) ? (rows as unknown[]) : [];
}

function columnsOf(row: unknown): readonly unknown[] {
  if (Array.isArray(row)) return row as unknown[];
  return typeof row === "object" && row !== null ? Object.values(row) : [row];
}

function hasFunction<Name extends string>(
  value: unknown,
  name: Name,
): value is Readonly<Record<Name, (...args: unknown[]) => unknown>> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as Readonly<Record<string, unknown>>)[name] === "function";
}

import assert from "node:assert/strict";
import { systemTime } from "../../../../src/base/time.ts";
import { mysqlClient, type MySqlClient } from "../../../../src/backends/mysql/client.ts";
import type { MySqlConnectionOptions } from "../../../../src/backends/mysql/connections/options.ts";
import { SqlError, type Limit, type SqlFailure, type Statement } from "../../../../src/backends/sql/client.ts";

/** A moment of the system's clock, 5 s from now unless told. */
export function soon(ms = 5_000): Limit {
  return { deadline: systemTime.monotonic() + ms };
}

export function sql(text: string): Statement {
  return { text, values: [] };
}

/** The first column of the first row, as text. */
export async function one(client: MySqlClient, text: string, limit = soon()): Promise<string> {
  const { rows } = await client.read(sql(text), limit);
  return String(rows[0]?.[0]);
}

/** How a call fails: `lost` or, where it may have written, `lost, maybe written`. */
export async function failure(call: Promise<unknown>): Promise<SqlFailure | `${SqlFailure}, maybe written`> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SqlError, `no SqlError but ${String(error)}`);
  return error.mayHaveWritten ? `${error.failure}, maybe written` : error.failure;
}

/** Clients that are closed after their test. */
export class Clients {
  readonly #open: MySqlClient[] = [];

  make(options: MySqlConnectionOptions | string): MySqlClient {
    const client = mysqlClient(typeof options === "string" ? { url: options } : options);
    this.#open.push(client);
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map(async (client) => client.close()));
  }
}

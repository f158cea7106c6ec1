import assert from "node:assert/strict";
import { systemTime } from "../../../src/base/time.ts";
import { SqlError, type Limit, type SqlClient, type SqlFailure } from "../../../src/backends/sql/client.ts";

/** A moment of the system's clock, 5 s from now unless told. */
export function soon(ms = 5_000): Limit {
  return { deadline: systemTime.monotonic() + ms };
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
export class MadeClients<Options extends object, Client extends SqlClient> {
  readonly #make: (options: Options | { readonly url: string }) => Client;
  readonly #open: Client[] = [];

  constructor(make: (options: Options | { readonly url: string }) => Client) {
    this.#make = make;
  }

  make(options: Options | string): Client {
    const client = this.#make(typeof options === "string" ? { url: options } : options);
    this.#open.push(client);
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map(async (client) => client.close()));
  }
}

import {
  postgresClient,
  type PostgresClient,
  type PostgresConnectionOptions,
} from "../../../../src/backends/postgres/client.ts";
import type { Statement } from "../../../../src/backends/sql/client.ts";
import { MadeClients, soon } from "../../../support/sql/clients.ts";

export { failure, soon } from "../../../support/sql/clients.ts";

export function sql(text: string, ...values: readonly unknown[]): Statement {
  return { text, values };
}

/** The first column of the first row. */
export async function one(client: PostgresClient, statement: Statement, limit = soon()): Promise<unknown> {
  const { rows } = await client.read(statement, limit);
  return rows[0]?.[0];
}

/** Clients that are closed after their test. */
export class Clients extends MadeClients<PostgresConnectionOptions, PostgresClient> {
  constructor() {
    super(postgresClient);
  }
}

import { mysqlClient, type MySqlClient } from "../../../../src/backends/mysql/client.ts";
import type { MySqlConnectionOptions } from "../../../../src/backends/mysql/connections/options.ts";
import type { Statement } from "../../../../src/backends/sql/client.ts";
import { MadeClients, soon } from "../../../support/sql/clients.ts";

export { failure, soon } from "../../../support/sql/clients.ts";

export function sql(text: string): Statement {
  return { text, values: [] };
}

/** The first column of the first row, as text. */
export async function one(client: MySqlClient, text: string, limit = soon()): Promise<string> {
  const { rows } = await client.read(sql(text), limit);
  return String(rows[0]?.[0]);
}

/** Clients that are closed after their test. */
export class Clients extends MadeClients<MySqlConnectionOptions, MySqlClient> {
  constructor() {
    super(mysqlClient);
  }
}

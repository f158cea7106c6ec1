import type { Reply } from "../../sql/client.ts";
import type { PgResult } from "./driver.ts";

/** A command or a statement. Without `values` it may be several in one text, which must hold no value then. */
export interface Query {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Whether it brings the server closer to the plan that it keeps: see `Prepared.isPlanned`. */
  readonly plans?: boolean;
}

/** What became of a query. */
export type Answer = Done | Refused;

export interface Done {
  readonly ok: true;
  readonly reply: Reply;
  readonly command: string;
}

/** The server has refused it, or the connection is gone, or the reply is overdue. */
export interface Refused {
  readonly ok: false;
  readonly error: unknown;
  /** Whether the error is the server's. */
  readonly answered: boolean;
  /** Whether it may have been executed. */
  readonly sent: boolean;
}

/** The driver's result; of several the last one. */
export function answerOf(result: PgResult | readonly PgResult[]): Answer {
  const { command, rowCount, rows } = (Array.isArray(result) ? result.at(-1) : result) as PgResult;
  return { ok: true, command, reply: { rows, changed: rowCount ?? 0 } };
}

import type { Time } from "../../base/time.ts";
import type { SqlClient, Statement } from "./client.ts";
import type { Dialect } from "./dialect.ts";
import type { OwnDialect } from "./own-dialect.ts";
import type { News } from "./row-view.ts";

/** What all that runs groups on one backend has. */
export interface Context {
  /** Of the backend, for errors. */
  readonly name: string;
  readonly time: Time;
  readonly client: SqlClient;
  readonly dialect: Dialect;
  /** What the dialect says in transactions of the application. Undefined where it cannot be part of one. */
  readonly own: OwnDialect | undefined;
  readonly teller: Teller;
}

/** Who is told of what groups have done. Those who watch records are told by the statements of the dialect. */
export interface Teller {
  /** Statements that tell it; they are run in the transaction of the groups, last, and so take effect with it. */
  statements(news: News): readonly Statement[];
  /** It has taken effect, or has changed nothing: what is known of locks is as of now. */
  done(news: News): void;
}

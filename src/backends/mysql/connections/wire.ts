import type { Time } from "../../../base/time.ts";
import type { Alarm } from "../../common/alarm.ts";
import type { Link } from "../../common/reconnecting.ts";
import type { Reply } from "../../sql/client.ts";
import { queryOf, type DriverConnection } from "./driver.ts";
import { endsConnection, isServerReply } from "./errors.ts";

/** What became of statements that were sent. */
export type Answer =
  | { readonly ok: true; readonly replies: readonly Reply[] }
  /**
   * The first that failed was the server's refusal (`answered`), or no reply came. Of those before `sent` each may have
   * been executed.
   */
  | { readonly ok: false; readonly error: unknown; readonly answered: boolean; readonly sent: number };

/** Statements under way on a connection. */
export interface Run {
  readonly wire: Wire;
  readonly deadline: number;
  place?: number | undefined;
  readonly texts: readonly string[];
  readonly replies: Reply[];
  sent: number;
  resolve(answer: Answer): void;
}

export interface WireOptions {
  readonly time: Time;
  /** Whether it is a connection of ours, and not of an application's pool. */
  readonly own: boolean;
  /** Knows the runs under way by their deadlines, and tells {@link Wire.overdue}. */
  readonly alarm: Alarm<Run>;
  /** How many characters go in one trip at most; with 0, each statement has a trip of its own. */
  mostTogether(): number;
  /** Ends the connection: with `kind` the server is told, if it is not in the middle of something. */
  end(kind: boolean): void;
  /** It is of no use any more. */
  lost(wire: Wire, why: unknown): void;
}

/** A connection that is open, for one caller at a time. */
export class Wire implements Link {
  readonly connection: DriverConnection;
  readonly #options: WireOptions;
  #run: Run | undefined;
  #gone: { readonly why: unknown } | undefined;
  #retired = false;

  constructor(connection: DriverConnection, options: WireOptions) {
    this.connection = connection;
    this.#options = options;
    this.attach();
  }

  /** Whether it is of use. */
  get alive(): boolean {
    return this.#gone === undefined;
  }

  /** Whether it is a connection of ours. */
  get own(): boolean {
    return this.#options.own;
  }

  /** Whether statements go in one trip. */
  takesAtOnce(texts: readonly string[]): boolean {
    return texts.reduce((length, text) => length + 1 + text.length, -1) <= this.#options.mostTogether();
  }

  /** Hears when the connection fails: an error that nobody listens to ends the process. */
  attach(): void {
    this.connection.on("error", this.#failed);
    this.connection.on("end", this.#ended);
  }

  /** Leaves a connection to its owner. */
  detach(): void {
    this.connection.removeListener("error", this.#failed);
    this.connection.removeListener("end", this.#ended);
  }

  /**
   * Sends statements, in as few trips as the connection allows, and tells what became of them soon after the deadline
   * at the latest. The server executes none behind one that failed. Never rejects.
   */
  run(texts: readonly string[], deadline: number): Promise<Answer> {
    return new Promise((resolve) => {
      if (this.#gone) return resolve({ ok: false, error: this.#gone.why, answered: false, sent: 0 });
      const run: Run = { wire: this, deadline, texts, replies: [], sent: 0, resolve };
      this.#run = run;
      this.#options.alarm.add(run);
      this.#send(run);
    });
  }

  /** The deadline of a run has passed. */
  overdue(run: Run): void {
    this.#options.alarm.delete(run);
    // After a pause of this process the reply may be here already, unread.
    setImmediate(() => {
      if (this.#run !== run) return;
      const why = new Error("the reply is overdue");
      this.close(why);
      this.#options.lost(this, why);
    });
  }

  close(why: unknown = new Error("it was closed")): void {
    if (this.#gone) return;
    this.#gone = { why };
    const run = this.#run;
    this.#options.end(run === undefined);
    if (run) this.#settle(run, { ok: false, error: why, answered: false, sent: run.sent });
  }

  retire(ms: number): void {
    this.#retired = true;
    if (!this.#run) this.close();
    else this.#options.time.after(ms, () => this.close());
  }

  readonly #failed = (error: unknown): void => {
    if (this.#gone) return;
    this.close(error);
    this.#options.lost(this, error);
  };

  readonly #ended = (): void => this.#failed(new Error("the server has closed it"));

  #send(run: Run): void {
    const first = run.sent;
    const most = this.#options.mostTogether();
    let length = (run.texts[first] as string).length;
    for (run.sent++; run.sent < run.texts.length; run.sent++) {
      length += 1 + (run.texts[run.sent] as string).length;
      if (length > most) break;
    }
    const count = run.sent - first;
    const query = queryOf(run.texts.slice(first, run.sent).join(";"), this.#options.own);
    this.connection.query(query, (error, results) => {
      if (this.#run !== run) return;
      if (error) return this.#refused(run, error);
      for (const result of count > 1 ? (results as readonly unknown[]) : [results]) run.replies.push(replyOf(result));
      if (run.sent < run.texts.length) this.#send(run);
      else this.#settle(run, { ok: true, replies: run.replies });
    });
  }

  #refused(run: Run, error: unknown): void {
    if (!isServerReply(error)) return this.#failed(error);
    this.#settle(run, { ok: false, error, answered: true, sent: run.sent });
    if (endsConnection(error)) this.#failed(error);
  }

  #settle(run: Run, answer: Answer): void {
    this.#run = undefined;
    this.#options.alarm.delete(run);
    run.resolve(answer);
    if (this.#retired) this.close();
  }
}

/** Rows, or what the server says of a statement that gives none. */
function replyOf(result: unknown): Reply {
  if (Array.isArray(result)) return { rows: result as Reply["rows"], changed: 0 };
  return { rows: [], changed: (result as { readonly affectedRows?: number }).affectedRows ?? 0 };
}

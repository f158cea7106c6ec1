import { LinkedList, type Linked } from "../../../base/linked-list.ts";
import type { Time } from "../../../base/time.ts";
import type { Alarm } from "../../common/alarm.ts";
import type { Link } from "../../common/reconnecting.ts";
import { answerOf, type Answer, type Query } from "./answers.ts";
import { columnTypes, type PgClient } from "./driver.ts";
import { endsConnection, isServerReply, isUnprepared } from "./errors.ts";
import { Prepared, type Names } from "./names.ts";

/** A connection that others use too ends when it has answered nothing for so long and a reply is overdue, in ms. */
const silenceMs = 1_000;

/** Queries that were sent together, and their answers as they come. */
export interface Run extends Linked<Run> {
  readonly wire: Wire;
  deadline: number;
  place?: number | undefined;
  readonly queries: readonly Query[];
  readonly answers: Answer[];
  sent: number;
  settled: boolean;
  resolve(answers: readonly Answer[]): void;
}

export interface WireOptions {
  readonly time: Time;
  /** Knows the runs under way by their deadlines, and tells {@link Wire.overdue}. */
  readonly alarm: Alarm<Run>;
  readonly names: Names;
  /** Whether it is a connection of ours, and not of an application's pool. */
  readonly own: boolean;
  /** Whether one overdue reply ends it: nobody else's is behind it. */
  readonly exclusive: boolean;
  /** It is of no use any more. */
  lost(wire: Wire, why: unknown): void;
}

/** A connection that is open: one life of a client of pg. */
export class Wire implements Link {
  readonly client: PgClient;
  readonly #options: WireOptions;
  readonly #runs = new LinkedList<Run>();
  readonly #prepared: Prepared;
  #heardAt: number;
  #gone: { readonly why: unknown } | undefined;
  #idle: (() => void) | undefined;

  constructor(client: PgClient, options: WireOptions) {
    this.client = client;
    this.#options = options;
    this.#prepared = new Prepared(options.names, (name) => client.connection.parsedStatements?.[name] !== undefined);
    this.#heardAt = options.time.monotonic();
    this.attach();
  }

  /** Whether it is of use. */
  get alive(): boolean {
    return this.#gone === undefined;
  }

  /** Whether it is a connection of ours: nobody has left a transaction open. */
  get own(): boolean {
    return this.#options.own;
  }

  /** Whether the server has settled on a plan for a statement on this connection, or nothing can be done about it. */
  isPlanned(text: string): boolean {
    // Statements of others come in between where it takes one at a time.
    return this.client.pipeline !== true || this.#prepared.isPlanned(text);
  }

  /** Hears when the connection fails: an error that nobody listens to ends the process. */
  attach(): void {
    this.client.on("error", this.#failed);
    this.client.on("end", this.#ended);
  }

  /** Leaves a client to its owner. */
  detach(): void {
    this.client.removeListener("error", this.#failed);
    this.client.removeListener("end", this.#ended);
  }

  /**
   * Sends queries, in one trip where the client can, and tells what became of each, soon after the deadline at the
   * latest. Never rejects.
   */
  run(queries: readonly Query[], deadline: number): Promise<readonly Answer[]> {
    return new Promise((resolve) => {
      const run: Run = {
        wire: this,
        deadline,
        queries,
        answers: [],
        sent: 0,
        settled: false,
        resolve,
        previous: undefined,
        next: undefined,
      };
      if (this.#gone || queries.length === 0) {
        this.#settle(run, this.#gone?.why);
        return;
      }
      // What was heard before does not count: there was nothing to answer.
      if (this.#runs.size === 0) this.#heardAt = this.#options.time.monotonic();
      this.#runs.append(run);
      this.#options.alarm.add(run);
      if (this.client.pipeline === true) this.#sendAll(run);
      else if (this.#runs.first === run) this.#send(run, 0);
    });
  }

  /** The deadline of a run has passed. */
  overdue(run: Run): void {
    this.#options.alarm.delete(run);
    // After a pause of this process the reply may be here already, unread.
    setImmediate(() => {
      if (this.#gone || run.answers.length === run.queries.length) return;
      const { time, exclusive, alarm } = this.#options;
      const quiet = time.monotonic() - this.#heardAt;
      const why = new Error("the reply is overdue");
      if (exclusive || quiet >= silenceMs) {
        this.close(why);
        this.#options.lost(this, why);
        return;
      }
      this.#settle(run, why);
      if (run.sent === 0) {
        this.#leave(run);
        return;
      }
      run.deadline = time.monotonic() + silenceMs - quiet;
      alarm.add(run);
    });
  }

  close(why: unknown = new Error("it was closed")): void {
    if (this.#gone) return;
    this.#gone = { why };
    const isIdle = this.#runs.size === 0;
    for (const run of this.#runs.toArray()) {
      this.#runs.remove(run);
      this.#options.alarm.delete(run);
      this.#settle(run, why);
    }
    // One that answers is told; from one that may not, nothing is awaited.
    if (isIdle) this.client.end().catch(() => this.client.connection.stream.destroy());
    else this.client.connection.stream.destroy();
    this.#idle?.();
  }

  retire(ms: number): void {
    const end = (): void => {
      timer.clear();
      this.close();
    };
    const timer = this.#options.time.after(ms, end);
    if (this.#runs.size === 0) end();
    else this.#idle = end;
  }

  readonly #failed = (error: unknown): void => {
    if (this.#gone) return;
    this.close(error);
    this.#options.lost(this, error);
  };

  readonly #ended = (): void => this.#failed(new Error("the server has closed it"));

  #sendAll(run: Run): void {
    const { stream } = this.client.connection;
    // One write for all of them: each is a call of the system.
    stream.cork?.();
    try {
      for (let i = 0; i < run.queries.length && !this.#gone; i++) this.#send(run, i);
    } finally {
      stream.uncork?.();
    }
  }

  #send(run: Run, i: number): void {
    const { text, values, plans = false } = run.queries[i] as Query;
    run.sent++;
    const name = values && this.#prepared.nameOf(text);
    const known = name !== undefined && this.#prepared.has(name);
    this.client.query({ text, values, name, rowMode: "array", types: columnTypes }, (error, result) => {
      if (this.#gone) return;
      this.#heardAt = this.#options.time.monotonic();
      if (error === null || error === undefined) {
        if (name !== undefined) this.#prepared.ran(name, plans);
        this.#answered(run, i, answerOf(result));
        return;
      }
      if (!isServerReply(error)) {
        this.#failed(error);
        return;
      }
      const lost = isUnprepared(error) && (known || error.code === "42P05");
      if (name !== undefined) this.#prepared.failed(text, name, { known, lost });
      this.#answered(run, i, { ok: false, error, answered: true, sent: false });
      if (endsConnection(error)) this.#failed(error);
    });
  }

  #answered(run: Run, i: number, answer: Answer): void {
    const { answers, queries } = run;
    if (answers.length !== i) return;
    answers.push(answer);
    if (answers.length < queries.length) {
      if (this.client.pipeline !== true) this.#send(run, i + 1);
      return;
    }
    this.#leave(run);
    this.#settle(run, undefined);
  }

  /** Nothing is awaited of it any more. A client that takes one query at a time gets the next run. */
  #leave(run: Run): void {
    this.#runs.remove(run);
    this.#options.alarm.delete(run);
    const { first } = this.#runs;
    if (!first) this.#idle?.();
    else if (first.sent === 0) this.#send(first, 0);
  }

  /** What has no answer yet never gets one. */
  #settle(run: Run, why: unknown): void {
    if (run.settled) return;
    run.settled = true;
    const { answers, queries } = run;
    const all = [...answers];
    for (let i = all.length; i < queries.length; i++) {
      all.push({ ok: false, error: why, answered: false, sent: i < run.sent });
    }
    run.resolve(all);
  }
}

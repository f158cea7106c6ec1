import type { OwnCall } from "../../port/index.ts";
import { SqlError, type Reply, type Statement } from "./client.ts";
import type { Foreign } from "./own-connection.ts";

/**
 * The statements of one call on a connection of the application, one at a time. Once its caller is gone nothing more is
 * sent: the connection may be in other hands, and another transaction may have begun on it.
 */
export class Trip {
  /** Whether a statement was sent. */
  sent = false;
  readonly deadline: number;
  readonly #foreign: Foreign;
  readonly #call: OwnCall;
  #over = false;

  constructor(foreign: Foreign, call: OwnCall) {
    this.#foreign = foreign;
    this.#call = call;
    this.deadline = call.deadline;
  }

  /** Whether somebody waits for it. */
  isWanted(): boolean {
    return !this.#over && this.#call.claim();
  }

  /** Nobody waits for it any more. */
  end(): void {
    this.#over = true;
  }

  /** Rejects with an SqlError. */
  async run(statements: readonly Statement[]): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    for (const statement of statements) {
      let reply: Reply | undefined;
      for (const part of this.#foreign.partsOf(statement)) {
        if (!this.isWanted()) throw new SqlError("lost", "the call was given up");
        this.sent = true;
        reply = await this.#foreign.ask(part);
      }
      replies.push(reply as Reply);
    }
    return replies;
  }

  /** Sends what is right at any moment, whether somebody waits or not; what becomes of it is not looked at. */
  async runAnyway(statements: readonly Statement[]): Promise<void> {
    for (const statement of statements) await this.#foreign.ask(statement).catch(() => undefined); // it is lost
  }
}

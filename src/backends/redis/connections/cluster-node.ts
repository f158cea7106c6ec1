import { RedisFailure, type Arg, type Route, type Node, type Reply } from "../router.ts";
import { retirement } from "../../common/reconnecting.ts";
import type { Common } from "./connection-options.ts";
import { Connection } from "./connection.ts";
import { showEndpoint, type Endpoint } from "./wire.ts";

/** One primary of a cluster with its connections. */
export class ClusterNode implements Node {
  readonly id: string;
  readonly endpoint: Endpoint;
  readonly commands: Connection;
  readonly #options: Common;
  readonly #changed: () => void;
  #renewals: Connection | undefined;

  constructor(endpoint: Endpoint, options: Common, changed: () => void) {
    this.id = showEndpoint(endpoint);
    this.endpoint = endpoint;
    this.#options = options;
    this.#changed = changed;
    this.commands = new Connection({ ...options, endpoint: () => endpoint, role: "commands", changed });
    this.commands.start();
  }

  send(args: readonly Arg[]): Promise<Reply> {
    return this.commands.send(args);
  }

  /** An extension does not wait until its own connection is there. */
  sendOn(route: Route, args: readonly Arg[]): Promise<Reply> {
    if (route === "commands") return this.commands.send(args);
    if (this.#renewals?.ready) return this.#renewals.send(args);
    this.#renewals ??= new Connection({
      ...this.#options,
      endpoint: () => this.endpoint,
      role: "renewals",
      changed: this.#changed,
    });
    this.#renewals.start();
    return this.commands.send(args);
  }

  /**
   * As {@link send}, of a slot that it takes over and serves to those only who say ASKING. Where that is refused, what
   * comes behind it is on its way all the same: what becomes of that is what counts.
   */
  async sendAsking(args: readonly Arg[]): Promise<Reply> {
    // Both are written in one go: nothing of another caller comes between them.
    const asking = this.commands.send(["ASKING"]).then(
      () => undefined,
      (error: unknown) => error,
    );
    const reply = this.commands.send(args);
    try {
      return await reply;
    } catch (error) {
      const refused = await asking;
      // Turned away unexecuted since ASKING was refused: whoever followed it would come back here.
      if (isReply(error, "MOVED") && isReply(refused)) throw refused;
      throw error;
    }
  }

  /** It serves nothing any more: what is pending may still be answered. */
  retire(): void {
    this.commands.close(retirement);
    this.#renewals?.close(retirement);
  }

  close(): void {
    this.commands.close();
    this.#renewals?.close();
  }
}

function isReply(error: unknown, word?: string): boolean {
  return error instanceof RedisFailure && error.reply !== undefined && (word ?? error.reply) === error.reply;
}

import type { Arg, Lane, Node, Reply } from "../router.ts";
import { Connection, RETIRED_MS, type Common } from "./connection.ts";
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
  sendOn(lane: Lane, args: readonly Arg[]): Promise<Reply> {
    if (lane === "commands") return this.commands.send(args);
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

  /** It serves nothing any more: what is pending may still be answered. */
  retire(): void {
    this.commands.close(RETIRED_MS);
    this.#renewals?.close(RETIRED_MS);
  }

  close(): void {
    this.commands.close();
    this.#renewals?.close();
  }
}

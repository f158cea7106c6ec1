import { Awaited } from "../../common/awaited.ts";
import { closedError } from "../../common/failures.ts";
import type { Arg, Route, Node, PushListener, Reply, Router, Subscriber, Topology } from "../router.ts";
import type { Common } from "./connection-options.ts";
import { Connection } from "./connection.ts";
import { BACKEND } from "./failures.ts";
import { Subscriptions } from "./subscriptions.ts";
import { showEndpoint, type Endpoint, type Wire } from "./wire.ts";

export interface SingleOptions extends Common {
  readonly maxWaiting: number;
  /** Where the primary is. Asked before each attempt. */
  endpoint(): Endpoint | Promise<Endpoint>;
  /** Whether a new wire leads where it should. */
  prepare?(wire: Wire): Promise<void>;
  /** Who names the primary, where that are sentinels. */
  readonly sentinels?: { readonly master: string; readonly nodes: readonly Node[] } | undefined;
  /** Called at the end. */
  closed?(): void;
}

/** One primary: a server, or the master that sentinels name. */
export class SingleRouter implements Router {
  readonly topology: Topology;
  readonly #options: SingleOptions;
  readonly #commands: Connection;
  readonly #renewals: Connection;
  readonly #pending: Awaited;
  readonly #subscribers = new Set<Subscriptions>();
  #closed = false;

  constructor(topology: "single" | "sentinel", options: SingleOptions) {
    this.topology = topology;
    this.#options = options;
    this.#pending = new Awaited(BACKEND, options.time, options.maxWaiting);
    const changed = (): void => this.#pending.look();
    this.#commands = new Connection({ ...options, role: "commands", onlyHost: topology === "single", changed });
    this.#renewals = new Connection({ ...options, role: "renewals", changed });
  }

  ready(deadline: number, _key?: string, once = false): Promise<void> {
    const commands = this.#commands;
    if (commands.ready) return Promise.resolve();
    const { failures } = commands;
    commands.start();
    return this.#pending.wait(deadline, {
      done: () => commands.ready,
      failed: () => {
        if (this.#closed) return closedError(BACKEND);
        return commands.hopeless || (once && commands.failures > failures) ? commands.problem : undefined;
      },
      problem: () => commands.problem,
    });
  }

  isReady(): boolean {
    return this.#commands.ready;
  }

  send(route: Route, _key: string | undefined, args: readonly Arg[]): Promise<Reply> {
    if (route === "commands") return this.#commands.send(args);
    if (this.#renewals.ready) return this.#renewals.send(args);
    // An extension must not wait until its own connection is there.
    this.#renewals.start();
    return this.#commands.send(args);
  }

  slotOf(): number {
    return 0;
  }

  async primaries(deadline: number): Promise<{ readonly nodes: readonly Node[]; readonly epoch: string }> {
    await this.ready(deadline);
    const { where } = this.#commands;
    const node: Node = { id: where, send: (args) => this.#commands.send(args) };
    return { nodes: [node], epoch: where };
  }

  sentinels(): SingleOptions["sentinels"] {
    return this.#options.sentinels;
  }

  subscriber(listener: PushListener): Subscriber {
    const subscriptions = new Subscriptions(listener, this.#options);
    this.#subscribers.add(subscriptions);
    if (this.#closed) subscriptions.close();
    return {
      subscribe: (channel, deadline) => subscriptions.subscribe("channel", channel, deadline),
      unsubscribe: (channel) => subscriptions.unsubscribe("channel", channel),
      subscribePattern: (pattern, deadline) => subscriptions.subscribe("pattern", pattern, deadline),
      unsubscribePattern: (pattern) => subscriptions.unsubscribe("pattern", pattern),
      close: async () => {
        this.#subscribers.delete(subscriptions);
        subscriptions.close();
      },
    };
  }

  /** The primary is another one now. Where it is told which, what leads there already stays. */
  renew(primary?: Endpoint): void {
    const to = primary && showEndpoint(primary);
    this.#commands.renew(to);
    this.#renewals.renew(to);
    for (const subscriptions of this.#subscribers) subscriptions.renew(to);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.closed?.();
    this.#commands.close();
    this.#renewals.close();
    for (const subscriptions of this.#subscribers) subscriptions.close();
  }
}

import type { Timer } from "../../../base/time.ts";
import type { PushListener } from "../router.ts";
import { Subscriptions, type SubscriptionsOptions } from "./subscriptions.ts";
import { showEndpoint, type Endpoint } from "./wire.ts";

export interface ClusterSubscriberOptions extends Omit<SubscriptionsOptions, "endpoint"> {
  /** The primaries as they are known now. */
  primaries(): readonly Endpoint[];
  /** Resolves when they are known. */
  known(deadline: number): Promise<void>;
  /** Finds out whether they are others. */
  look(): void;
}

/**
 * How often a subscriber has the primaries looked at: keys that have moved to a node which it does not listen to are
 * silent, and no command of ours may come upon them.
 */
const LOOK_MS = 2_000;

/**
 * Subscriptions on a cluster. A message to a channel reaches every node, so one connection hears them all; what a node
 * tells of its own keys stays there, so patterns are subscribed to on every primary.
 */
export class ClusterSubscriber {
  readonly #listener: PushListener;
  readonly #options: ClusterSubscriberOptions;
  readonly #channels: Subscriptions;
  readonly #patterns = new Set<string>();
  readonly #byNode = new Map<string, Subscriptions>();
  #home: Endpoint | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(listener: PushListener, options: ClusterSubscriberOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#channels = new Subscriptions(listener, { ...options, endpoint: () => this.#chooseHome() });
  }

  async subscribe(channel: string, deadline: number): Promise<void> {
    this.#lookLater();
    await this.#options.known(deadline);
    await this.#channels.subscribe("channel", channel, deadline);
  }

  unsubscribe(channel: string): void {
    this.#channels.unsubscribe("channel", channel);
  }

  async subscribePattern(pattern: string, deadline: number): Promise<void> {
    this.#lookLater();
    await this.#options.known(deadline);
    const isNew = !this.#patterns.has(pattern);
    const late = this.#patterns.size > 0;
    this.#patterns.add(pattern);
    this.#leaveOthers();
    this.#connectAll(late);
    try {
      await this.#subscribeAll(pattern, deadline);
    } catch (error) {
      if (isNew) this.unsubscribePattern(pattern);
      throw error;
    }
  }

  unsubscribePattern(pattern: string): void {
    this.#patterns.delete(pattern);
    for (const node of this.#byNode.values()) node.unsubscribe("pattern", pattern);
  }

  /** The primaries are others than before. */
  follow(): void {
    if (this.#closed) return;
    if (this.#home && !this.#primaries().has(showEndpoint(this.#home))) this.#channels.renew();
    this.#leaveOthers();
    if (this.#patterns.size === 0) return;
    this.#connectAll(true);
    this.#listener.gap();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.clear();
    this.#channels.close();
    for (const node of this.#byNode.values()) node.close();
  }

  #lookLater(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = this.#options.time.after(LOOK_MS, () => {
      this.#timer = undefined;
      this.#options.look();
      this.#lookLater();
    });
  }

  /** Any primary, and another one than before if there is one. */
  #chooseHome(): Endpoint {
    const all = this.#options.primaries();
    const others = all.filter((one) => !this.#home || showEndpoint(one) !== showEndpoint(this.#home));
    const choice = others.length > 0 ? others : all;
    const chosen = choice[Math.floor(Math.random() * choice.length)];
    if (!chosen) throw new Error("no primary of the cluster is known");
    this.#home = chosen;
    return chosen;
  }

  #primaries(): Set<string> {
    return new Set(this.#options.primaries().map(showEndpoint));
  }

  /** Ends the connections to nodes that are no primaries any more: nobody is to wait for them. */
  #leaveOthers(): void {
    const primaries = this.#primaries();
    for (const [id, node] of this.#byNode) {
      if (primaries.has(id)) continue;
      this.#byNode.delete(id);
      node.close();
    }
  }

  /** Also on those that become primaries meanwhile. What becomes of one that is none any more does not matter. */
  async #subscribeAll(pattern: string, deadline: number): Promise<void> {
    const done = new Set<Subscriptions>();
    while (this.#patterns.has(pattern)) {
      const left = [...this.#byNode].filter(([, node]) => !done.has(node));
      if (left.length === 0) return;
      await Promise.all(
        left.map(async ([id, node]) => {
          try {
            await node.subscribe("pattern", pattern, deadline);
          } catch (error) {
            if (this.#closed || this.#byNode.get(id) === node) throw error;
          }
          done.add(node);
        }),
      );
    }
  }

  #connectAll(late: boolean): void {
    if (this.#closed) return;
    for (const endpoint of this.#options.primaries()) {
      const id = showEndpoint(endpoint);
      if (this.#byNode.has(id)) continue;
      const node = new Subscriptions(this.#listener, { ...this.#options, endpoint: () => endpoint, late });
      this.#byNode.set(id, node);
      for (const pattern of this.#patterns) node.want("pattern", pattern);
    }
  }
}

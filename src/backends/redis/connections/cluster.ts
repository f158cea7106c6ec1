import { pauseFor } from "../../../base/time.ts";
import { Awaited } from "../../common/awaited.ts";
import { closedError } from "../../common/failures.ts";
import type { Arg, Errand, Route, Node, PushListener, Reply, Router, Subscriber } from "../router.ts";
import { RedisFailure } from "../router.ts";
import { BACKEND } from "./failures.ts";
import { ClusterMap } from "./cluster-map.ts";
import type { ClusterNode } from "./cluster-node.ts";
import { ClusterSubscriber } from "./cluster-subscriber.ts";
import type { Common } from "./connection-options.ts";
import { parseRedirect, slotOf } from "./slots.ts";
import type { Endpoint } from "./wire.ts";

/** Redirections of one command, and how long it is tried again while its keys are on their way between two nodes. */
const MOST_REDIRECTIONS = 8;
const LONGEST_MOVE_MS = 2_000;
const MOVE_PAUSE_MS = 20;
/** How long a redirected command waits for the connection to a node that was not known before. */
const NEW_NODE_MS = 1_000;

export interface ClusterOptions extends Common {
  readonly maxWaiting: number;
  /** Where to ask first. */
  seeds(): readonly Endpoint[];
}

/** What a command has been through. */
interface Trip {
  readonly route: Route;
  readonly key: string | undefined;
  readonly args: readonly Arg[];
  readonly errand: Errand | undefined;
  readonly since: number;
  redirections: number;
}

/**
 * The primaries of a cluster, one connection a route and node. A node's refusal says where else the command belongs.
 */
export class ClusterRouter implements Router {
  readonly topology = "cluster";
  readonly #options: ClusterOptions;
  readonly #map: ClusterMap;
  readonly #pending: Awaited;
  readonly #subscribers = new Set<ClusterSubscriber>();
  #closed = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#pending = new Awaited(BACKEND, options.time, options.maxWaiting);
    this.#map = new ClusterMap({
      ...options,
      changed: () => this.#pending.look(),
      moved: () => {
        for (const subscriber of this.#subscribers) subscriber.follow();
      },
    });
  }

  ready(deadline: number, key?: string, once = false): Promise<void> {
    if (key === undefined ? this.#settled() : this.isReady("commands", key)) return Promise.resolve();
    const { failures } = this.#map;
    this.#map.start();
    return this.#wait(
      deadline,
      () => (key === undefined ? this.#settled() : this.isReady("commands", key)),
      () => once && this.#map.failures > failures,
    );
  }

  isReady(_route: Route, key: string | undefined): boolean {
    const node = key === undefined ? this.#map.any() : this.#map.at(slotOf(key));
    return node !== undefined && node.commands.ready;
  }

  send(route: Route, key: string | undefined, args: readonly Arg[], errand?: Errand): Promise<Reply> {
    const node = key === undefined ? this.#map.any() : this.#map.at(slotOf(key));
    if (!node) {
      this.#map.lookSoon();
      return Promise.reject(new RedisFailure("the command was not sent: no node serves its slot", false));
    }
    return node
      .sendOn(route, args)
      .catch((error: unknown) =>
        this.#refused(
          { route, key, args, errand, since: this.#options.time.monotonic(), redirections: 0 },
          node,
          error,
        ),
      );
  }

  slotOf(key: string): number {
    return slotOf(key);
  }

  async primaries(deadline: number): Promise<{ readonly nodes: readonly Node[]; readonly epoch: string }> {
    this.#map.start();
    await this.#wait(deadline, () => this.#map.known && this.#map.nodes.every(({ commands }) => commands.ready));
    return { nodes: this.#map.nodes, epoch: this.#map.epoch };
  }

  async reachable(deadline: number): Promise<readonly Node[]> {
    await this.ready(deadline);
    return this.#map.nodes.filter(({ commands }) => commands.ready);
  }

  subscriber(listener: PushListener): Subscriber {
    const subscriber = new ClusterSubscriber(listener, {
      ...this.#options,
      primaries: () => this.#map.nodes.map(({ endpoint }) => endpoint),
      known: (deadline) => this.ready(deadline),
      look: () => this.#map.lookSoon(),
    });
    this.#subscribers.add(subscriber);
    if (this.#closed) subscriber.close();
    return {
      subscribe: (channel, deadline) => subscriber.subscribe(channel, deadline),
      unsubscribe: (channel) => subscriber.unsubscribe(channel),
      subscribePattern: (pattern, deadline) => subscriber.subscribePattern(pattern, deadline),
      unsubscribePattern: (pattern) => subscriber.unsubscribePattern(pattern),
      close: async () => {
        this.#subscribers.delete(subscriber);
        subscriber.close();
      },
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#map.close();
    for (const subscriber of this.#subscribers) subscriber.close();
    this.#pending.look();
  }

  /** Whether each node is connected or has shown that it is not to be had now, and one of them is. */
  #settled(): boolean {
    return this.#map.any() !== undefined && this.#map.nodes.every(({ commands }) => commands.tried);
  }

  #wait(deadline: number, done: () => boolean, enough = (): boolean => false): Promise<void> {
    return this.#pending.wait(deadline, {
      done,
      failed: () =>
        this.#closed ? closedError(BACKEND) : this.#map.hopeless || enough() ? this.#map.problem : undefined,
      problem: () => this.#map.problem,
    });
  }

  /** The servers did not execute what they answer so: it goes where they say. Everything else is the caller's. */
  async #refused(trip: Trip, node: ClusterNode, error: unknown): Promise<Reply> {
    const reply = error instanceof RedisFailure ? error.reply : undefined;
    if (reply === "CLUSTERDOWN") this.#map.lookSoon();
    const isRedirection = reply === "MOVED" || reply === "ASK";
    if ((!isRedirection && reply !== "TRYAGAIN") || this.#closed) throw error;
    if (trip.errand) trip.errand.refused = true;
    if (isRedirection) {
      const redirect = parseRedirect((error as Error).message, node.endpoint);
      if (!redirect || ++trip.redirections > MOST_REDIRECTIONS) throw error;
      if (reply === "ASK") return this.#again(trip, this.#map.node(redirect.to), error, true);
      return this.#again(trip, this.#map.move(redirect.slot, redirect.to), error);
    }
    if (this.#options.time.monotonic() - trip.since > LONGEST_MOVE_MS) throw error;
    await pauseFor(this.#options.time, MOVE_PAUSE_MS);
    trip.redirections = 0;
    return this.#again(trip, trip.key === undefined ? node : (this.#map.at(slotOf(trip.key)) ?? node), error);
  }

  /**
   * Sends again what was refused with `why`, if it is still wanted: a later command may be under way by now, or done.
   */
  async #again(trip: Trip, node: ClusterNode, why: unknown, isAsking = false): Promise<Reply> {
    const { route, args, errand } = trip;
    await this.#connected(node);
    if (errand?.givenUp) throw why;
    if (errand) errand.refused = false;
    const reply = isAsking ? node.sendAsking(errand?.asking?.(args) ?? args) : node.sendOn(route, args);
    return reply.catch((error: unknown) => this.#refused(trip, node, error));
  }

  async #connected(node: ClusterNode): Promise<void> {
    if (node.commands.ready || node.commands.tried) return;
    try {
      await this.#wait(this.#options.time.monotonic() + NEW_NODE_MS, () => node.commands.tried);
    } catch (error) {
      throw new RedisFailure(`the command was not sent: ${(error as Error).message}`, false, undefined, error);
    }
  }
}

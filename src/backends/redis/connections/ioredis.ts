import type { Router } from "../router.ts";
import { ClusterRouter } from "./cluster.ts";
import { hiding } from "./failures.ts";
import { mapped, refuseClosed, type AddressMap, type ClientRouterOptions } from "./foreign.ts";
import { IoredisWire, ownIoredisOptions, SharedIoredisWire, type IoredisClient } from "./ioredis-wire.ts";
import { refuse } from "./options.ts";
import { SingleRouter } from "./single.ts";
import type { Dial, Endpoint } from "./wire.ts";

/** What is needed of a cluster of ioredis or iovalkey. */
interface IoredisCluster {
  readonly status: string;
  readonly options: {
    readonly keyPrefix?: unknown;
    readonly redisOptions?: { readonly keyPrefix?: unknown } | undefined;
    readonly natMap?: AddressMap | null | undefined;
  };
  nodes(role: "master"): readonly IoredisClient[];
}

const brand = Symbol("holdfast.ioredis");

/** A client of ioredis or iovalkey that is fit for {@link RedisOptions.client}. Made by {@link fromIoredis}. */
export interface AdaptedClient {
  readonly [brand]: { readonly client: IoredisClient } | { readonly cluster: IoredisCluster };
  /** The settings that count, by the names of package `redis`. */
  readonly options: { readonly database: number };
}

/**
 * Adapts an application's `Redis` or `Cluster` of ioredis or iovalkey. A `Redis` must have `maxRetriesPerRequest: 0`, or the
 * driver may run a command twice; its commands go over it, and it is never changed or closed here. Of a `Cluster` only the
 * settings are used, for connections of our own: its way of sending again cannot be switched off.
 *
 * @throws InvalidArgumentError for another object, or settings that cannot be used: it says which.
 */
export function fromIoredis(client: object): AdaptedClient {
  const shape = client as Partial<IoredisClient & IoredisCluster> | null | undefined;
  if (typeof shape?.status !== "string" || typeof shape.options !== "object") {
    refuse("fromIoredis needs a Redis or a Cluster of ioredis or iovalkey");
  }
  if (typeof shape.nodes === "function") {
    const cluster = client as IoredisCluster;
    refusePrefix(cluster.options.keyPrefix, cluster.options.redisOptions?.keyPrefix);
    return { [brand]: { cluster }, options: { database: 0 } };
  }
  if (typeof shape.duplicate !== "function" || typeof shape.callBuffer !== "function") {
    refuse("fromIoredis needs a Redis or a Cluster of ioredis or iovalkey");
  }
  const single = client as IoredisClient;
  checkSettings(single.options);
  return { [brand]: { client: single }, options: { database: Number(single.options["db"] ?? 0) } };
}

/** Whether `fromIoredis` made it. */
export function isIoredis(client: object): client is AdaptedClient {
  return brand in client;
}

/** A router over what `fromIoredis` made. */
export function ioredisRouter(adapted: AdaptedClient, options: ClientRouterOptions): Router {
  const inner = adapted[brand];
  return "client" in inner ? singleRouter(inner.client, options) : clusterRouter(inner.cluster, options);
}

function singleRouter(client: IoredisClient, options: ClientRouterOptions): Router {
  const { host = "localhost", port = 6379, path, password, sentinels, sentinelPassword } = client.options;
  const endpoint: Endpoint = path ? { path } : { host, port };
  return new SingleRouter(sentinels ? "sentinel" : "single", {
    ...options,
    hide: hiding(password ?? undefined, sentinelPassword ?? undefined),
    endpoint: () => endpoint,
    commandsDial: async (_endpoint, _role, lost) => new SharedIoredisWire(client, lost),
    dial: async (_endpoint, _role, lost) =>
      new IoredisWire(client.duplicate(ownIoredisOptions(options.connectTimeout)), lost),
  });
}

function clusterRouter(cluster: IoredisCluster, options: ClientRouterOptions): Router {
  const dial: Dial = async (endpoint, _role, lost) => {
    const [node] = cluster.nodes("master");
    if (!node || cluster.status === "wait" || cluster.status === "end") refuseClosed("cluster");
    const address = mapped(cluster.options.natMap, endpoint) as { readonly host: string; readonly port: number };
    return new IoredisWire(node.duplicate({ ...ownIoredisOptions(options.connectTimeout), ...address }), lost);
  };
  return new ClusterRouter({
    ...options,
    hide: hiding(...cluster.nodes("master").map((node) => node.options.password ?? undefined)),
    // Before the cluster knows its nodes there is nowhere to ask, and the next look asks again.
    seeds: () => cluster.nodes("master").map(({ options: { host = "localhost", port = 6379 } }) => ({ host, port })),
    dial,
  });
}

/**
 * With `maxRetriesPerRequest: 0` the driver rejects at each loss what was under way, whatever else is set. Anything else
 * keeps commands for the next connection: to send them again, or never to settle them.
 */
function checkSettings(settings: IoredisClient["options"]): void {
  refusePrefix(settings.keyPrefix);
  if (settings.maxRetriesPerRequest !== 0) {
    refuse("the client may run a command twice: it needs the option maxRetriesPerRequest: 0");
  }
  if (settings.reconnectOnError) {
    refuse("the client may run a command twice: it must not have the option reconnectOnError");
  }
  if (settings.stringNumbers === true) refuse("the client must not have the option stringNumbers");
  if (settings["replyMapping"] === "resp3") refuse('the client must not have the option replyMapping: "resp3"');
  if (settings["monitor"] === true) refuse("the client monitors the server and takes no commands");
}

function refusePrefix(...prefixes: readonly unknown[]): void {
  if (prefixes.some((prefix) => prefix !== undefined && prefix !== null && (prefix as string | Buffer).length > 0)) {
    refuse(
      "the client must not have a keyPrefix: keys within scripts would not bear it. Give redis() a prefix instead",
    );
  }
}

import type { Router } from "../router.ts";
import { ClusterRouter } from "./cluster.ts";
import { hiding } from "./failures.ts";
import { lastKnown, mapped, refuseClosed, refusePrefix, type AddressMap, type ClientRouterOptions } from "./foreign.ts";
import { IoredisWire, ownIoredisOptions, type IoredisClient } from "./ioredis-wire.ts";
import { refuse } from "./options.ts";
import { requirePrimary } from "./sentinel.ts";
import { SingleRouter } from "./single.ts";
import type { Dial, Endpoint } from "./wire.ts";

/** What is needed of a cluster of ioredis or iovalkey. */
interface IoredisCluster {
  readonly status: string;
  readonly options: {
    readonly keyPrefix?: unknown;
    readonly redisOptions?: { readonly keyPrefix?: unknown; readonly password?: string | null } | undefined;
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
 * Adapts an application's `Redis` or `Cluster` of ioredis or iovalkey. Its settings are used, for connections of our
 * own, made by its `duplicate()`: it is never opened, changed or closed here. A `Cluster` has to be connected, or
 * connecting.
 *
 * @throws InvalidArgumentError for another object, or one with a `keyPrefix`.
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
  refusePrefix(single.options.keyPrefix);
  return { [brand]: { client: single }, options: { database: Number(single.options["db"] ?? 0) } };
}

/** Whether `fromIoredis` made it. */
export function isIoredis(client: object): client is AdaptedClient {
  return brand in client;
}

/** A router with the settings of what `fromIoredis` took. */
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
    ...(!sentinels && !client.options["Connector"] && { secure: Boolean(client.options["tls"]) }),
    // A sentinel may not have heard yet that another server is the master.
    ...(sentinels && { prepare: requirePrimary }),
    dial: async (_endpoint, _role, lost) =>
      new IoredisWire(client.duplicate(ownIoredisOptions(options.connectTimeout)), lost),
  });
}

function clusterRouter(cluster: IoredisCluster, options: ClientRouterOptions): Router {
  let pattern: IoredisClient | undefined;
  const dial: Dial = async (endpoint, _role, lost) => {
    pattern ??= cluster.nodes("master")[0];
    if (!pattern) refuseClosed("cluster client");
    const address = mapped(cluster.options.natMap, endpoint) as { readonly host: string; readonly port: number };
    return new IoredisWire(pattern.duplicate({ ...ownIoredisOptions(options.connectTimeout), ...address }), lost);
  };
  return new ClusterRouter({
    ...options,
    hide: hiding(
      cluster.options.redisOptions?.password ?? undefined,
      ...cluster.nodes("master").map((node) => node.options.password ?? undefined),
    ),
    // Before the cluster knows its nodes there is nowhere to ask, and the next look asks again.
    seeds: lastKnown(
      () => cluster.nodes("master").map(({ options: { host = "localhost", port = 6379 } }) => ({ host, port })),
      () => cluster.status !== "wait" && cluster.status !== "end",
    ),
    dial,
  });
}

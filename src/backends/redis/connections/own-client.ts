import type { Router } from "../router.ts";
import { ClusterRouter } from "./cluster.ts";
import type { NodeRedisClient, NodeRedisOptions } from "./driver.ts";
import { hiding } from "./failures.ts";
import { lastKnown, mapped, refuseClosed, refusePrefix, type AddressMap, type ClientRouterOptions } from "./foreign.ts";
import { isIoredis, ioredisRouter } from "./ioredis.ts";
import { KEEP_ALIVE_MS, NodeRedisWire, ownClientOptions } from "./node-redis.ts";
import { refuse } from "./options.ts";
import { SingleRouter } from "./single.ts";
import type { Dial, Endpoint } from "./wire.ts";

/** What is needed of a cluster client of package `redis`. */
interface NodeRedisCluster {
  readonly isOpen: boolean;
  readonly masters: readonly {
    readonly host: string;
    readonly port: number;
    readonly client?: NodeRedisClient | undefined;
  }[];
  nodeClient(node: object): NodeRedisClient | Promise<NodeRedisClient>;
}

const CANNOT = "A client of package redis, a cluster of it, or what fromIoredis made is needed";

/**
 * A router with the settings of the application's client, told by its shape: it may come from another copy of its
 * package. Every connection is a duplicate of ours: what it is told, and when it is given up, is for us to say, and the
 * client stays as it is.
 */
export function clientRouter(client: object, options: ClientRouterOptions): Router {
  if (isIoredis(client)) return ioredisRouter(client, options);
  const shape = client as Record<string, unknown>;
  const has = (...names: readonly string[]): boolean => names.every((name) => typeof shape[name] === "function");
  if (has("nodeClient", "sendCommand") && Array.isArray(shape["masters"])) {
    return clusterRouter(client as NodeRedisCluster, options);
  }
  if (has("createPool", "duplicate", "sendCommand", "connect")) return singleRouter(client as NodeRedisClient, options);
  if (has("call", "duplicate") && "status" in shape) {
    refuse("a client of ioredis or iovalkey is given as client: fromIoredis(client)");
  }
  if (has("acquire", "use", "sendCommand")) {
    refuse(
      "the client is one for sentinels, whose settings the driver keeps to itself. " +
        "Give a url: redis+sentinel://host:port,.../name",
    );
  }
  return refuse(`the client cannot be used. ${CANNOT}`);
}

function singleRouter(client: NodeRedisClient, options: ClientRouterOptions): Router {
  const { password, keyPrefix } = client.options ?? {};
  const socket: SocketOptions | undefined = client.options?.socket;
  refusePrefix(keyPrefix);
  return new SingleRouter("single", {
    ...options,
    hide: hiding(password),
    endpoint: () => endpointOf(socket),
    secure: socket?.tls === true,
    dial: duplicating(
      async () => client,
      options.connectTimeout,
      (socketOptions) => socketOptions,
    ),
  });
}

/** Of a cluster client the nodes and their settings are used, as they were when it was open last. */
function clusterRouter(cluster: NodeRedisCluster, options: ClientRouterOptions): Router {
  // The driver has no public way to learn them; without the map a cluster behind a translation of addresses cannot be
  // reached.
  const settings = Reflect.get(cluster, "_options") as ClusterSettings | undefined;
  refusePrefix(settings?.keyPrefix, settings?.defaults?.keyPrefix);
  const map = settings?.nodeAddressMap;
  let pattern: NodeRedisClient | undefined;
  const anyNode = async (): Promise<NodeRedisClient> => {
    const { masters } = cluster;
    // One that the cluster has made, for one that is made now is waited for until it is connected.
    pattern ??= masters.find(({ client }) => client)?.client;
    const drawn = masters[Math.floor(Math.random() * masters.length)];
    if (!pattern && !drawn) refuseClosed("cluster client");
    return (pattern ??= await cluster.nodeClient(drawn as object));
  };
  return new ClusterRouter({
    ...options,
    hide: hiding(),
    seeds: lastKnown(
      () => cluster.masters.map(({ host, port }) => ({ host, port })),
      () => cluster.isOpen,
    ),
    dial: duplicating(anyNode, options.connectTimeout, (socket, endpoint) => ({ ...socket, ...mapped(map, endpoint) })),
  });
}

interface ClusterSettings {
  readonly nodeAddressMap?: AddressMap;
  readonly keyPrefix?: unknown;
  readonly defaults?: { readonly keyPrefix?: unknown } | undefined;
}

interface SocketOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly tls?: unknown;
}

/** How a connection of ours finds out that it is dead. */
const LIVELY = { socketTimeout: undefined, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, noDelay: true };

/** Wires of our own with the settings of a client. */
function duplicating(
  original: () => Promise<NodeRedisClient>,
  connectTimeout: number,
  socketFor: (socket: object, endpoint: Endpoint) => object,
): Dial {
  return async (endpoint, _role, lost) => {
    const client = await original();
    const own = ownClientOptions(endpoint, undefined, connectTimeout);
    const socket = { ...client.options?.socket, ...LIVELY, connectTimeout, reconnectStrategy: false };
    const overrides: NodeRedisOptions = {
      ...own,
      socket: socketFor(socket, endpoint),
      // Its URL is in the other options by now; the rest does things on a connection that we have no use for.
      url: undefined,
      pingInterval: undefined,
      clientSideCache: undefined,
      emitInvalidate: undefined,
      readonly: undefined,
    };
    return new NodeRedisWire(client.duplicate(overrides), lost);
  };
}

function endpointOf(socket: SocketOptions | undefined): Endpoint {
  if (socket?.path !== undefined) return { path: socket.path };
  return { host: socket?.host ?? "localhost", port: socket?.port ?? 6379 };
}

import type { Arg, Reply, Router } from "../router.ts";
import { ClusterRouter } from "./cluster.ts";
import { asReply, TYPES, type NodeRedisClient, type NodeRedisOptions } from "./driver.ts";
import { hiding } from "./failures.ts";
import { mapped, refuseClosed, type AddressMap, type ClientRouterOptions } from "./foreign.ts";
import { isIoredis, ioredisRouter } from "./ioredis.ts";
import { neverWritten, NodeRedisWire, ownClientOptions } from "./node-redis.ts";
import { refuse } from "./options.ts";
import { SingleRouter } from "./single.ts";
import type { Dial, Endpoint, Wire } from "./wire.ts";

/** What is needed of a cluster client of package `redis`. */
interface NodeRedisCluster {
  readonly isOpen: boolean;
  readonly masters: readonly { readonly host: string; readonly port: number }[];
  nodeClient(node: object): NodeRedisClient | Promise<NodeRedisClient>;
}

const CANNOT = "A client of package redis, a cluster of it, or what fromIoredis made is needed";

/** A router over the application's client, told by its shape: it may come from another copy of its package. */
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
    // It sends a command again after a lost connection, and waits for a new master without end.
    refuse(
      `the client is one for sentinels, whose commands may run twice. Give a url: redis+sentinel://host:port,.../name`,
    );
  }
  return refuse(`the client cannot be used. ${CANNOT}`);
}

function singleRouter(client: NodeRedisClient, options: ClientRouterOptions): Router {
  const { socket, password } = client.options ?? {};
  return new SingleRouter("single", {
    ...options,
    hide: hiding(password),
    endpoint: () => endpointOf(socket),
    commandsDial: async (_endpoint, _role, lost) => new SharedWire(client, lost),
    dial: duplicating(
      async () => client,
      options.connectTimeout,
      (socketOptions) => socketOptions,
    ),
  });
}

/**
 * A cluster client moves commands between its nodes in ways of its own, and splits those of several keys. So the connections
 * are ours, with the settings of its nodes.
 */
function clusterRouter(cluster: NodeRedisCluster, options: ClientRouterOptions): Router {
  const anyNode = async (): Promise<NodeRedisClient> => {
    const [first] = cluster.masters;
    if (!cluster.isOpen || !first) refuseClosed("cluster client");
    return cluster.nodeClient(first);
  };
  // The driver has no public way to learn it; without it a cluster behind a translation of addresses cannot be reached.
  const settings = Reflect.get(cluster, "_options") as { readonly nodeAddressMap?: AddressMap } | undefined;
  const map = settings?.nodeAddressMap;
  return new ClusterRouter({
    ...options,
    hide: hiding(),
    seeds: () => cluster.masters.map(({ host, port }) => ({ host, port })),
    dial: duplicating(anyNode, options.connectTimeout, (socket, endpoint) => ({ ...socket, ...mapped(map, endpoint) })),
  });
}

interface SocketOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly tls?: unknown;
}

/** Wires of our own with the settings of a client. */
function duplicating(
  original: () => Promise<NodeRedisClient>,
  connectTimeout: number,
  socketFor: (socket: object, endpoint: Endpoint) => object,
): Dial {
  return async (endpoint, _role, lost) => {
    const client = await original();
    const own = ownClientOptions(endpoint, undefined, connectTimeout);
    const socket = { ...client.options?.socket, socketTimeout: undefined, connectTimeout, reconnectStrategy: false };
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

/**
 * The application's own client, for one time between two losses. What the driver has not written when the connection goes is
 * taken back, so that nothing of ours waits in its offline queue.
 */
class SharedWire implements Wire {
  readonly foreign = true;
  readonly #client: NodeRedisClient;
  readonly #lost: (why: unknown) => void;
  readonly #over = new AbortController();
  readonly #undo: (() => void)[] = [];

  constructor(client: NodeRedisClient, lost: (why: unknown) => void) {
    this.#client = client;
    this.#lost = lost;
  }

  async open(): Promise<void> {
    const client = this.#client;
    for (const event of ["reconnecting", "terminated", "end"]) {
      this.#on(event, () => this.#lost(new Error("the client that was given has lost its connection")));
    }
    if (client.isReady) return;
    if (!client.isOpen) refuseClosed("client");
    await new Promise<void>((resolve, reject) => {
      this.#on("ready", () => resolve());
      this.#over.signal.addEventListener("abort", () => reject(new Error("it is not ready")), { once: true });
    });
  }

  send(args: readonly Arg[]): Promise<Reply> {
    const { signal } = this.#over;
    return asReply(this.#client.sendCommand(args, { timeout: undefined, typeMapping: TYPES, abortSignal: signal }));
  }

  async subscribe(): Promise<void> {
    throw new Error("an application's client is not subscribed with");
  }

  async unsubscribe(): Promise<void> {
    throw new Error("an application's client is not subscribed with");
  }

  unsent(error: unknown): boolean {
    return neverWritten(error);
  }

  hold(): void {
    // Whether it keeps the process alive is for the application to say.
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#over.abort();
  }

  #on(event: string, listener: () => void): void {
    this.#client.on(event, listener);
    this.#undo.push(() => this.#client.off(event, listener));
  }
}

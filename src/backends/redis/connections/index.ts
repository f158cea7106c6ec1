import type { Time } from "../../../base/time.ts";
import { systemTime } from "../../../base/time.ts";
import type { Router } from "../router.ts";
import { ClusterRouter } from "./cluster.ts";
import type { Common } from "./connection-options.ts";
import { loadDriver, type NodeRedisOptions } from "./driver.ts";
import { hiding } from "./failures.ts";
import { NodeRedisWire, ownClientOptions } from "./node-redis.ts";
import { clientRouter } from "./own-client.ts";
import { resolveRedisOptions, type RedisOptions, type RedisTlsOptions, type Servers } from "./options.ts";
import { requirePrimary, SentinelFinder } from "./sentinel.ts";
import { sentinelNodes } from "./sentinel-nodes.ts";
import { SingleRouter } from "./single.ts";
import type { Dial, Endpoint } from "./wire.ts";

export { fromIoredis, type AdaptedClient } from "./ioredis.ts";
export { resolveRedisOptions } from "./options.ts";
export type { RedisOptions, RedisTlsOptions, ResolvedOptions } from "./options.ts";

/**
 * The way to the servers that the options name. Does no I/O and loads no driver. `reached` is called whenever a
 * connection for commands was made. Throws InvalidArgumentError.
 */
export function makeRouter(options: RedisOptions, time: Time = systemTime, reached?: () => void): Router {
  const resolved = resolveRedisOptions(options);
  const { servers, client, connectTimeout, maxWaiting } = resolved;
  if (client !== undefined) return clientRouter(client, { time, connectTimeout, maxWaiting, reached });
  if (!servers) throw new Error("there is neither a URL nor a client");
  const hide = hiding(servers.credentials.password, servers.sentinel.password);
  const credentials = accountOf(servers.credentials, servers.database);
  const tls = servers.tls ? resolved.tls : undefined;
  const dial = dialing(credentials, tls, connectTimeout);
  const common = { dial, time, hide, connectTimeout, maxWaiting, secure: servers.tls, reached };
  if (servers.mode === "sentinel") return sentinelRouter(servers, common, tls);
  if (servers.mode === "cluster") {
    const seeds = servers.hosts.map((host) => endpointOf(host, 6379));
    return new ClusterRouter({ ...common, seeds: () => seeds });
  }
  const [first] = servers.hosts.map((host) => endpointOf(host, 6379)) as [Endpoint];
  return new SingleRouter("single", { ...common, endpoint: () => first });
}

function sentinelRouter(
  servers: Servers,
  common: Common & { readonly maxWaiting: number },
  tls: RedisTlsOptions | undefined,
): Router {
  const { sentinel, hosts, master = "" } = servers;
  const finding = {
    ...common,
    dial: dialing(accountOf(sentinel, undefined), tls, common.connectTimeout),
    sentinels: hosts.map((host) => endpointOf(host, 26_379)),
    master,
  };
  const finder = new SentinelFinder(finding, (to) => router.renew(to));
  const router: SingleRouter = new SingleRouter("sentinel", {
    ...common,
    endpoint: () => finder.find(),
    prepare: requirePrimary,
    sentinels: { master, nodes: sentinelNodes(finding) },
    closed: () => finder.close(),
  });
  return router;
}

/**
 * The driver makes a class of all its commands for other options than the last, which it compares as JSON: some 50 ms
 * for each connection where there are several servers. What ours differ in is not in the class, and is no more kept as
 * text.
 */
const OWN_CLASS = "holdfast";

function dialing(account: NodeRedisOptions, tls: RedisTlsOptions | undefined, connectTimeout: number): Dial {
  return async (endpoint, _role, lost) => {
    const { createClient } = await loadDriver();
    const own = ownClientOptions(endpoint, tls, connectTimeout);
    return new NodeRedisWire(createClient({ ...account, ...own, toJSON: () => OWN_CLASS }), lost);
  };
}

function accountOf(
  { username, password }: { readonly username: string | undefined; readonly password: string | undefined },
  database: number | undefined,
): NodeRedisOptions {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
  };
}

function endpointOf({ host, port }: Servers["hosts"][number], usualPort: number): Endpoint {
  return host.startsWith("/") ? { path: host } : { host, port: port ?? usualPort };
}

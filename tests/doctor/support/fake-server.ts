import {
  RedisFailure,
  type Arg,
  type Node,
  type Reply,
  type Router,
  type Topology,
} from "../../../src/backends/redis/router.ts";

/** What a server says of itself; what is not told is as on a server that is set right. */
export interface Account {
  readonly info?: Readonly<Record<string, string | undefined>> | "forbidden";
  readonly config?: Readonly<Record<string, string>> | "forbidden";
  /** How far its clock is ahead of this machine's, in ms. */
  readonly clockMs?: number;
  /** Commands, with their first argument, that this user may not use. */
  readonly forbidden?: readonly string[];
  readonly silent?: boolean;
}

const usualInfo = {
  redis_version: "7.2.4",
  role: "master",
  cluster_enabled: "0",
  used_memory: "1000000",
  maxmemory: "0",
  maxmemory_policy: "noeviction",
  total_system_memory: "1000000000",
  aof_enabled: "1",
  aof_last_write_status: "ok",
  rdb_last_bgsave_status: "ok",
};

const usualConfig = {
  maxmemory: "0",
  "maxmemory-policy": "noeviction",
  save: "",
  appendonly: "yes",
  appendfsync: "always",
  timeout: "0",
  "notify-keyspace-events": "AK",
  "min-replicas-to-write": "0",
};

/** One server of a router, without a server. */
export function fakeNode(id: string, account: Account): Node {
  return { id, send: (args) => answer(account, args) };
}

/** A router to such servers. */
export function fakeRouter(topology: Topology, ...accounts: readonly Account[]): Router {
  const nodes = accounts.map((account, i) => fakeNode(`10.0.0.${i + 1}:6379`, account));
  const [first] = nodes as [Node];
  return {
    topology,
    ready: async () => undefined,
    isReady: () => true,
    send: (_route, _key, args) => first.send(args),
    slotOf: () => 0,
    primaries: async () => ({ nodes, epoch: "1" }),
    subscriber: () => ({
      subscribe: async () => undefined,
      unsubscribe: () => undefined,
      subscribePattern: async () => undefined,
      unsubscribePattern: () => undefined,
      close: async () => undefined,
    }),
    close: async () => undefined,
  };
}

async function answer(account: Account, args: readonly Arg[]): Promise<Reply> {
  if (account.silent === true) return new Promise<never>(() => undefined);
  const [command, second] = args.map(String) as [string, string | undefined];
  if (account.forbidden?.includes(command) === true) throw noPermission(command);
  switch (command) {
    case "PING":
      return "PONG";
    case "TIME": {
      const now = Date.now() + (account.clockMs ?? 0);
      return [Buffer.from(String(Math.floor(now / 1000))), Buffer.from(String((now % 1000) * 1000))];
    }
    case "INFO":
      if (account.info === "forbidden") throw noPermission(command);
      return Buffer.from(infoText({ ...usualInfo, ...account.info }));
    case "CONFIG": {
      if (account.config === "forbidden" || second !== "GET") throw noPermission("config|get");
      const name = String(args[2]);
      const value = { ...usualConfig, ...account.config }[name];
      return value === undefined ? [] : [Buffer.from(name), Buffer.from(value)];
    }
    case "HELLO":
      return [
        "server",
        "redis",
        "version",
        "7.2.4",
        "proto",
        2,
        "id",
        7,
        "mode",
        "standalone",
        "role",
        "replica",
        "modules",
        [],
      ];
    case "EVAL":
      return [];
    case "EVALSHA":
      throw new RedisFailure("NOSCRIPT No matching script.", false, "NOSCRIPT");
    default:
      return "OK";
  }
}

function infoText(fields: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name}:${value}`]));
  return `# All\r\n${lines.join("\r\n")}\r\n`;
}

function noPermission(command: string): RedisFailure {
  return new RedisFailure(`NOPERM this user has no permissions to run the '${command}' command`, false, "NOPERM");
}

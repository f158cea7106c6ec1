import { randomBytes } from "node:crypto";
import { makeCertificate } from "./certificate.ts";
import type { RedisOptions } from "./configuration.ts";
import { freePorts } from "../servers/ports.ts";
import { RedisServer } from "./server.ts";
import { until } from "../servers/until.ts";

/** A primary, a replica, and three sentinels that watch over them. */
export class SentinelGroup {
  /** The name that the sentinels know the primary by. */
  readonly name = "mymaster";
  readonly data: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];

  constructor(data: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.data = data;
    this.sentinels = sentinels;
  }

  get version(): string {
    return (this.data[0] as RedisServer).version;
  }

  /** As `redis[s]+sentinel://a,b,c/name`. */
  get url(): string {
    const [first] = this.data as [RedisServer];
    const login = first.password === undefined ? "" : `:${encodeURIComponent(first.password)}@`;
    const hosts = this.sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
    return `redis${first.ca === undefined ? "" : "s"}+sentinel://${login}${hosts}/${this.name}`;
  }

  /** The server that most of the sentinels call the primary. */
  async primary(): Promise<RedisServer> {
    const named = await Promise.all(
      this.sentinels.map(async (sentinel) => {
        if (!sentinel.isRunning) return undefined;
        const [, port] = (await sentinel.command("SENTINEL", "get-master-addr-by-name", this.name)) as string[];
        return Number(port);
      }),
    );
    const found = this.data.find(({ port }) => named.filter((one) => one === port).length * 2 > this.sentinels.length);
    if (!found) throw new Error(`the sentinels do not agree: ${named.join(", ")}`);
    return found;
  }

  /** The first server that is not the primary. */
  async replica(): Promise<RedisServer> {
    const primary = await this.primary();
    return this.data.find((server) => server !== primary) as RedisServer;
  }

  /** Resolves when another server than `before` is the primary, says so itself and every running sentinel agrees. */
  async failedOver(before: RedisServer): Promise<RedisServer> {
    let after: RedisServer | undefined;
    await until("a failover", async () => {
      try {
        after = await this.primary();
        return after !== before && ((await after.command("ROLE")) as string[])[0] === "master";
      } catch {
        return false; // they do not agree yet
      }
    });
    return after as RedisServer;
  }

  /** Makes the replica the primary, with both of them alive. */
  async failover(): Promise<RedisServer> {
    const before = await this.primary();
    await (this.sentinels[0] as RedisServer).command("SENTINEL", "FAILOVER", this.name);
    return this.failedOver(before);
  }

  /**
   * Makes a server that was away follow the primary, and cuts its clients: as the sentinels do after ten seconds, or after minutes
   * where the machine is so busy that they distrust their clocks.
   */
  async rejoin(server: RedisServer): Promise<void> {
    const { host, port } = await this.primary();
    const orders = [
      ["REPLICAOF", host, String(port)],
      ["CLIENT", "KILL", "TYPE", "normal"],
    ];
    for (const order of orders) {
      // KeyDB takes neither while it loads what another server sends it.
      await until(`the old primary to take ${order[0]}`, async () =>
        server.command(...order).then(
          () => true,
          () => false,
        ),
      );
    }
    await until("the old primary to follow", async () => isReplicating(server).catch(() => false));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.data].map(async (server) => server.stop()));
  }
}

/** Starts five servers: down after 1 s, a failover may take 5 s. Resolves when the sentinels know all of them. */
export async function startSentinel(options: RedisOptions): Promise<SentinelGroup> {
  const ports = await freePorts(3);
  const certificate = options.tls === true ? makeCertificate() : undefined;
  const primary = await RedisServer.start(options, { certificate });
  const replica = await RedisServer.start(options, {
    certificate,
    settings: { replicaof: `127.0.0.1 ${primary.port}` },
  });
  const ids = ports.map(() => randomBytes(20).toString("hex"));
  const sentinels = await Promise.all(
    ports.map(async (port, own) =>
      RedisServer.start(sentinelOptions(options), {
        port,
        certificate,
        // What it would find out within seconds is told at once.
        sentinel: [
          `sentinel myid ${ids[own]}`,
          `sentinel monitor mymaster 127.0.0.1 ${primary.port} 2`,
          "sentinel down-after-milliseconds mymaster 1000",
          "sentinel failover-timeout mymaster 5000",
          ...(options.password === undefined
            ? []
            : [`sentinel auth-pass mymaster ${JSON.stringify(options.password)}`]),
          `sentinel known-replica mymaster 127.0.0.1 ${replica.port}`,
          ...ports.flatMap((other, i) =>
            i === own ? [] : `sentinel known-sentinel mymaster 127.0.0.1 ${other} ${ids[i]}`,
          ),
          "",
        ].join("\n"),
      }),
    ),
  );
  const group = new SentinelGroup([primary, replica], sentinels);
  await until("the replica", async () => isReplicating(replica));
  for (const sentinel of sentinels) {
    await until("the sentinels", async () => {
      const reply = await sentinel.command("SENTINEL", "CKQUORUM", group.name).catch(() => "");
      const seen = ((await sentinel.command("SENTINEL", "REPLICAS", group.name)) as string[][])[0] ?? [];
      return String(reply).startsWith("OK 3") && seen[seen.indexOf("master-link-status") + 1] === "ok";
    });
  }
  return group;
}

/** Whether a replica has all that its primary had when it joined. */
export async function isReplicating(replica: RedisServer): Promise<boolean> {
  return String(await replica.command("INFO", "replication")).includes("master_link_status:up");
}

/** Resolves when the replica has all that its primary had when this was called. */
export async function hasCaughtUp(replica: RedisServer, primary: RedisServer): Promise<void> {
  const offset = async (server: RedisServer, field: string): Promise<number> => {
    const info = String(await server.command("INFO", "replication"));
    return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(info)?.[1] ?? -1);
  };
  const wanted = await offset(primary, "master_repl_offset");
  await until("the replica to catch up", async () => (await offset(replica, "slave_repl_offset")) >= wanted);
}

function sentinelOptions({ kind, password, tls }: RedisOptions): RedisOptions {
  return { kind, ...(password === undefined ? {} : { password }), ...(tls === undefined ? {} : { tls }) };
}

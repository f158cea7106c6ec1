import { existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Connection, type Message, type Method } from "../../../src/backends/etcd/client/index.ts";
import { findServer, type EtcdKind } from "../../backends/etcd/servers.ts";
import { makeCertificate } from "../redis/certificate.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import { until } from "../servers/until.ts";

export interface EtcdServerOptions {
  readonly kind: EtcdKind;
  /** Whether its data are on a disk, and not in memory, which is the quicker by far. Default false. */
  readonly flushes?: boolean;
  readonly tls?: boolean;
  /** So many bytes it may have, and then takes no more. */
  readonly quota?: number;
  /** Further settings. */
  readonly settings?: readonly string[];
}

/** A folder in memory, where there is one: what is flushed there is flushed at once. */
const memory = "/dev/shm";

interface Member {
  readonly port: number;
  readonly peerPort: number;
}

const status: Method = { path: "Maintenance/Status", asks: "Nothing", gets: "Status" };

/** One running etcd: alone, or a member of a cluster. */
export class EtcdServer extends TestServer {
  /** A file with what a client has to trust; undefined without TLS. */
  readonly ca: string | undefined;

  private constructor({ kind, flushes, tls }: EtcdServerOptions, port: number) {
    super(present(findServer(kind), kind), port, flushes !== true && existsSync(memory) ? memory : tmpdir());
    if (tls !== true) return;
    const { cert, key } = makeCertificate();
    this.ca = path.join(this.folder, "cert.pem");
    writeFileSync(this.ca, cert);
    writeFileSync(path.join(this.folder, "key.pem"), key);
  }

  /** Starts a member of a cluster of these, and resolves when it answers, which takes most of them. */
  static async start(options: EtcdServerOptions, own: number, members: readonly Member[]): Promise<EtcdServer> {
    const { port, peerPort } = members[own] as Member;
    const server = new EtcdServer(options, port);
    const peer = `http://127.0.0.1:${peerPort}`;
    const client = `http${server.ca === undefined ? "" : "s"}://127.0.0.1:${port}`;
    const { command } = present(findServer(options.kind), options.kind);
    const tls =
      server.ca === undefined ? [] : ["--cert-file", server.ca, "--key-file", path.join(server.folder, "key.pem")];
    await server.begin({
      command: [
        ...command,
        ...[
          "--name",
          `n${own}`,
          "--data-dir",
          path.join(server.folder, "data"),
          "--logger",
          "zap",
          "--log-level",
          "error",
        ],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster-state", "new"],
        ...["--initial-cluster", members.map((one, i) => `n${i}=http://127.0.0.1:${one.peerPort}`).join(",")],
        ...(options.quota === undefined ? [] : ["--quota-backend-bytes", String(options.quota)]),
        ...tls,
        ...(options.settings ?? []),
      ],
      ping: async () => {
        const { leader } = await server.ask(status, {});
        if (leader === undefined) throw new Error("it has no leader yet");
      },
      clear: () => rmSync(path.join(server.folder, "data"), { recursive: true, force: true }),
    });
    return server;
  }

  get url(): string {
    return this.ca === undefined ? `etcd://127.0.0.1:${this.port}` : `etcds://127.0.0.1:${this.port}?ca=${this.ca}`;
  }

  /** Its answer to one call, on a connection of its own. */
  async ask(method: Method, message: Message, headers: Record<string, string> = {}): Promise<Message> {
    const tls = this.ca === undefined ? undefined : { rejectUnauthorized: false };
    const url = `http${tls ? "s" : ""}://127.0.0.1:${this.port}`;
    const connection = await Connection.open(url, tls, 5_000);
    const alive = setInterval(() => undefined, 1_000);
    try {
      return await connection.call(method, message, headers, 5_000);
    } finally {
      clearInterval(alive);
      connection.close();
    }
  }

  /** Does what no client of ours does, by its gateway: only without TLS. */
  async administer(call: string, body: object): Promise<unknown> {
    const reply = await fetch(`http://127.0.0.1:${this.port}/v3/${call}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    const told: unknown = await reply.json();
    if (!reply.ok) throw new Error(`${call}: ${JSON.stringify(told)}`);
    return told;
  }

  /** Forgets all that is past. */
  async compact(): Promise<void> {
    const { header } = await this.ask(status, {});
    const { revision } = header as { revision?: number };
    await this.administer("kv/compaction", { revision: String(revision), physical: true });
  }

  /** Gives the room of what was removed back, and says that there is some. */
  async makeRoom(): Promise<void> {
    await this.compact();
    await this.administer("maintenance/defragment", {});
    const { alarms = [] } = (await this.administer("maintenance/alarm", {})) as { alarms?: readonly object[] };
    for (const alarm of alarms) await this.administer("maintenance/alarm", { ...alarm, action: "DEACTIVATE" });
  }

  /** Resolves when it knows of no leader. */
  async deposed(): Promise<void> {
    await until("the leader to be missed", async () => (await this.ask(status, {}))["leader"] === undefined);
  }

  /** Removes all keys that begin so. */
  async remove(prefix: string): Promise<void> {
    const key = Buffer.from(prefix);
    const end = Buffer.from(prefix);
    end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
    await this.ask({ path: "KV/Txn", asks: "Txn", gets: "Txned" }, { success: [{ delete: { key, end } }] });
  }
}

/** Members of one cluster, any of which may be lost while most are left. */
export class EtcdCluster {
  readonly members: readonly EtcdServer[];

  constructor(members: readonly EtcdServer[]) {
    this.members = members;
  }

  get url(): string {
    return `etcd://${this.members.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  }

  /** The member that leads, as one that runs says. */
  async leader(): Promise<EtcdServer> {
    let found: EtcdServer | undefined;
    await until("a leader", async () => {
      for (const one of this.members.filter(({ isRunning }) => isRunning)) {
        const said = await one.ask(status, {}).catch(() => undefined);
        const { member } = (said?.["header"] ?? {}) as { member?: bigint };
        if (said?.["leader"] !== undefined && said["leader"] === member) found = one;
      }
      return found !== undefined;
    });
    return found as EtcdServer;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(async (one) => one.stop()));
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startEtcd(options: EtcdServerOptions): Promise<EtcdServer> {
  const [port = 0, peerPort = 0] = await freePorts(2);
  return EtcdServer.start(options, 0, [{ port, peerPort }]);
}

/** Starts three members. */
export async function startEtcdCluster(options: EtcdServerOptions): Promise<EtcdCluster> {
  const ports = await freePorts(6);
  const members = [0, 2, 4].map((i): Member => ({ port: ports[i] ?? 0, peerPort: ports[i + 1] ?? 0 }));
  return new EtcdCluster(await Promise.all(members.map(async (_, i) => EtcdServer.start(options, i, members))));
}

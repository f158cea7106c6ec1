import { makeCertificate, type Certificate } from "./certificate.ts";
import type { RedisOptions } from "./configuration.ts";
import { freeNodePorts } from "../servers/ports.ts";
import { isReplicating } from "./sentinel.ts";
import { RedisServer } from "./server.ts";
import { until } from "../servers/until.ts";

const slots = 16_384;
const primaries = 3;

/** Three primaries with a replica each. */
export class RedisCluster {
  readonly #nodes: RedisServer[];
  readonly #options: RedisOptions;
  readonly #certificate: Certificate | undefined;

  constructor(nodes: readonly RedisServer[], options: RedisOptions, certificate: Certificate | undefined) {
    this.#nodes = [...nodes];
    this.#options = options;
    this.#certificate = certificate;
  }

  get nodes(): readonly RedisServer[] {
    return this.#nodes;
  }

  get version(): string {
    return (this.nodes[0] as RedisServer).version;
  }

  /** As `redis[s]+cluster://a,b,c`. */
  get url(): string {
    const [first] = this.nodes as [RedisServer];
    const login = first.password === undefined ? "" : `:${encodeURIComponent(first.password)}@`;
    const hosts = this.nodes.slice(0, primaries).map(({ host, port }) => `${host}:${port}`);
    return `redis${first.ca === undefined ? "" : "s"}+cluster://${login}${hosts.join(",")}`;
  }

  /** The server that serves a slot, as most of the running nodes see it. */
  async primaryOf(slot: number): Promise<RedisServer> {
    const votes = new Map<number, number>();
    await Promise.all(
      this.nodes.map(async (node) => {
        if (!node.isRunning) return;
        const ranges = (await node.command("CLUSTER", "SLOTS").catch(() => [])) as [number, number, [string, number]][];
        const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
        if (port !== undefined) votes.set(port, (votes.get(port) ?? 0) + 1);
      }),
    );
    const [port] = [...votes].toSorted((a, b) => b[1] - a[1])[0] ?? [];
    const found = this.nodes.find((node) => node.port === port);
    if (!found) throw new Error(`nobody serves slot ${slot}`);
    return found;
  }

  /** The replicas of a primary. */
  async replicasOf(primary: RedisServer): Promise<RedisServer[]> {
    const id = String(await primary.command("CLUSTER", "MYID"));
    const lines = (await primary.command("CLUSTER", "REPLICAS", id)) as string[];
    return lines.map((line) => this.nodes.find(({ port }) => line.includes(`:${port}@`)) as RedisServer);
  }

  /** The slot of a key. */
  async slotOf(key: string): Promise<number> {
    return Number(await (this.nodes[0] as RedisServer).command("CLUSTER", "KEYSLOT", key));
  }

  /** Resolves when another server than `before` serves the slot, and every running node says that the cluster is whole. */
  async failedOver(slot: number, before: RedisServer): Promise<RedisServer> {
    let after: RedisServer | undefined;
    await until("a failover", async () => {
      after = await this.primaryOf(slot);
      return after !== before && (await this.#isWhole());
    });
    return after as RedisServer;
  }

  /** Makes a replica of the primary of `slot` the primary, with both of them alive, and nothing lost. */
  async failover(slot: number): Promise<RedisServer> {
    const before = await this.primaryOf(slot);
    let asked = -Infinity;
    // A busy primary may not hand over within the 5 s that it is given, and then stays what it is: ask again.
    await until("a primary to hand over", async () => {
      if ((await this.primaryOf(slot)) !== before) return true;
      if (performance.now() - asked > 6_000) {
        asked = performance.now();
        const [replica] = await this.replicasOf(before);
        await replica?.command("CLUSTER", "FAILOVER");
      }
      return false;
    });
    return this.failedOver(slot, before);
  }

  /** Moves a slot with its keys to another primary, while clients go on. `step` is called between the keys. */
  async moveSlot(slot: number, target: RedisServer, step: () => Promise<void> = async () => undefined): Promise<void> {
    const source = await this.primaryOf(slot);
    const [from, to] = [await source.command("CLUSTER", "MYID"), await target.command("CLUSTER", "MYID")].map(String);
    await target.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", from as string);
    await source.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", to as string);
    for (;;) {
      const keys = (await source.command("CLUSTER", "GETKEYSINSLOT", String(slot), "1")) as string[];
      if (keys.length === 0) break;
      const auth = source.password === undefined ? [] : ["AUTH", source.password];
      await source.command("MIGRATE", target.host, String(target.port), "", "0", "5000", ...auth, "KEYS", ...keys);
      await step();
    }
    for (const node of [target, source]) await node.command("CLUSTER", "SETSLOT", String(slot), "NODE", to as string);
    await until("the slot's new place", async () => (await this.primaryOf(slot)) === target);
  }

  /** Starts one more primary, which serves nothing yet. Resolves when every running node knows it. */
  async addPrimary(): Promise<RedisServer> {
    const [port] = (await freeNodePorts(1)) as [number];
    const added = await startNode(this.#options, port, this.#certificate);
    const id = String(await added.command("CLUSTER", "MYID"));
    const running = this.nodes.filter(({ isRunning }) => isRunning);
    const [first] = running as [RedisServer];
    await first.command("CLUSTER", "MEET", added.host, String(added.port));
    this.#nodes.push(added);
    for (const node of running) {
      await until("the nodes to meet", async () => String(await node.command("CLUSTER", "NODES")).includes(id));
    }
    await until("the new node to know the others", async () => {
      const ranges = (await added.command("CLUSTER", "SLOTS")) as [number, number][];
      return ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0) === slots;
    });
    await this.whole();
    return added;
  }

  async #isWhole(): Promise<boolean> {
    const infos = await Promise.all(
      this.nodes
        .filter((node) => node.isRunning)
        .map(async (node) => String(await node.command("CLUSTER", "INFO").catch(() => ""))),
    );
    return infos.every((info) => info.includes("cluster_state:ok"));
  }

  /** Resolves when every running node says that the cluster is whole. */
  async whole(): Promise<void> {
    await until("the cluster", async () => this.#isWhole());
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => node.stop()));
  }
}

/** Starts six nodes; one counts as failing after 2 s. Resolves when the cluster is whole and every replica has its data. */
export async function startCluster(options: RedisOptions): Promise<RedisCluster> {
  const ports = await freeNodePorts(primaries * 2);
  const certificate = options.tls === true ? makeCertificate() : undefined;
  const nodes = await Promise.all(ports.map(async (port) => startNode(options, port, certificate)));
  const [first] = nodes as [RedisServer];
  const ids = await Promise.all(nodes.map(async (node) => String(await node.command("CLUSTER", "MYID"))));
  for (const [i, node] of nodes.entries()) {
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1));
    if (i > 0) await node.command("CLUSTER", "MEET", first.host, String(first.port));
    if (i >= primaries) continue;
    const [from, to] = [i, i + 1].map((part) => Math.ceil((slots * part) / primaries)) as [number, number];
    const served = Array.from({ length: to - from }, (_, slot) => String(from + slot));
    await node.command("CLUSTER", "ADDSLOTS", ...served);
  }
  for (const [i, node] of nodes.entries()) {
    await until("the nodes to meet", async () => {
      const known = String(await node.command("CLUSTER", "NODES"));
      return ids.every((id) => known.includes(id));
    });
    if (i >= primaries) await node.command("CLUSTER", "REPLICATE", ids[i - primaries] as string);
  }
  const cluster = new RedisCluster(nodes, options, certificate);
  for (const replica of nodes.slice(primaries)) await until("a replica", async () => isReplicating(replica));
  await cluster.whole();
  await until("the replicas", async () => {
    const all = await Promise.all(nodes.slice(0, primaries).map(async (node) => cluster.replicasOf(node)));
    return all.every((replicas) => replicas.length === 1);
  });
  return cluster;
}

async function startNode(
  options: RedisOptions,
  port: number,
  certificate: Certificate | undefined,
): Promise<RedisServer> {
  return RedisServer.start(options, {
    port,
    certificate,
    settings: {
      "cluster-enabled": "yes",
      "cluster-config-file": "nodes.conf",
      "cluster-node-timeout": "2000",
    },
  });
}

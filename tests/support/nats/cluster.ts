import type { NatsConnection } from "@nats-io/transport-node";
import type { NatsKind } from "../../backends/nats/servers.ts";
import type { FaultSubject } from "../faults/place.ts";
import { freePorts } from "../servers/ports.ts";
import { sharing } from "../servers/shared.ts";
import { until } from "../servers/until.ts";
import { lacks } from "./kinds.ts";
import { natsUrl, startNats, type NatsServer } from "./server.ts";

/** Three servers that keep every bucket, which the URL has made with three replicas. */
export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  readonly url: string;
  /** The server that leads a bucket, as one of the others sees it; undefined while there is none. */
  leaderOf(bucket: string): Promise<NatsServer | undefined>;
  stop(): Promise<void>;
}

async function startCluster(kind: NatsKind, { flushes = false } = {}): Promise<NatsCluster> {
  const ports = await freePorts(3);
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(", ");
  const servers = await Promise.all(
    ports.map(async (port, i) => {
      const settings = `server_name: n${i}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }`;
      return startNats({ kind, flushes, settings });
    }),
  );
  await until("all three are there", async () => isWhole(servers[0] as NatsServer));
  return {
    servers,
    url: `${natsUrl(...servers.map(({ port }) => port))}/holdfast?replicas=3`,
    async leaderOf(bucket) {
      for (const server of servers.filter(({ isRunning }) => isRunning)) {
        const leader = await askedLeader(server, bucket);
        const found = leader === undefined ? undefined : servers[Number(leader.slice(1))];
        if (found?.isRunning) return found;
      }
      return undefined;
    },
    stop: async () => void (await Promise.all(servers.map(async (server) => server.stop()))),
  };
}

/** A cluster of a kind that a test file shares. */
export const sharedCluster = sharing<NatsKind, NatsCluster>(async (kind) => startCluster(kind));

/** Whether the servers have found each other: else nothing can be kept by all of them. */
async function isWhole(server: NatsServer): Promise<boolean> {
  let connection: NatsConnection | undefined;
  try {
    connection = await server.connect();
    const asked = JSON.stringify({ name: "whole", subjects: ["whole"], num_replicas: 3 });
    const reply = await connection.request("$JS.API.STREAM.CREATE.whole", asked, { timeout: 2_000 });
    return reply.json<{ error?: unknown }>().error === undefined;
  } catch {
    return false; // there is no leader yet
  } finally {
    await connection?.close();
  }
}

/** The name of the server that leads a bucket; undefined where this one does not know, or is not up. */
async function askedLeader(server: NatsServer, bucket: string): Promise<string | undefined> {
  try {
    const connection = await server.connect();
    try {
      const reply = await connection.request(`$JS.API.STREAM.INFO.KV_${bucket}`, "", { timeout: 1_000 });
      return reply.json<{ cluster?: { leader?: string } }>().cluster?.leader;
    } finally {
      await connection.close();
    }
  } catch {
    return undefined;
  }
}

/** Three of a kind, for the tests of faults: who is killed leads the bucket. */
export function clusterFaults(kind: NatsKind): FaultSubject {
  return {
    name: `three ${kind}`,
    skip: lacks(kind),
    isDurable: true,
    fencesOutliveIt: true,
    async start({ flushes }) {
      const cluster = await startCluster(kind, { flushes });
      const { servers } = cluster;
      const down = (): NatsServer[] => servers.filter(({ isRunning }) => !isRunning);
      return {
        port: servers[0]?.port ?? 0,
        url: () => cluster.url,
        kill: async () => (await cluster.leaderOf("holdfast"))?.kill(),
        async restart(options = { keep: true }) {
          const all = options.keep ? down() : servers;
          if (!options.keep) await Promise.all(all.map(async (server) => server.kill()));
          await Promise.all(all.map(async (server) => server.restart(options)));
          // Until then nobody is served: it takes several seconds to agree on another one.
          if (options.keep)
            await until("the bucket is led", async () => (await cluster.leaderOf("holdfast")) !== undefined);
        },
        stop: async () => cluster.stop(),
      };
    },
  };
}

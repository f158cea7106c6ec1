import { randomBytes } from "node:crypto";
import type { Reach } from "../../../scripts/lib/backends.ts";
import { natsBackend } from "../../../src/backends/nats/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { TestSubject } from "../../support/conform.ts";
import { sharedCluster } from "../../support/nats/cluster.ts";
import { natsUrl, sharedNats, type NatsServer } from "../../support/nats/server.ts";
import type { NatsKind } from "./servers.ts";

/** Buckets that are empty: to make one takes a server longer than most cases. */
const idle = new Map<NatsServer, string[]>();

/** The kinds of server that are there. A place is a bucket. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  const kind = server as NatsKind;
  const isAlone = backend === server;
  return [
    {
      name: backend,
      // What differs is who ends keys and how many keep them, which is below the port.
      like: backend === "nats" ? undefined : "nats",
      // A request costs this process more than one to other servers, so cases that make many hold up those that count time.
      atOnce: 4,
      async place() {
        const servers = isAlone ? [await sharedNats(kind)] : (await sharedCluster(kind)).servers;
        const [running] = servers as readonly [NatsServer, ...NatsServer[]];
        const url = natsUrl(...servers.map(({ port }) => port));
        const free = idle.get(running) ?? [];
        idle.set(running, free);
        const bucket = free.pop() ?? `t${randomBytes(6).toString("hex")}`;
        // With many tests beside, this process or the server may stand still for longer than the default.
        const options = { url, bucket, replicas: servers.length, connectTimeout: "20s" } as const;
        return placeOf(() => natsBackend(options), {
          async remove() {
            const connection = await running.connect();
            await connection.request(`$JS.API.STREAM.PURGE.KV_${bucket}`, "", { timeout: 20_000 });
            await connection.close();
            free.push(bucket);
          },
        });
      },
    },
  ];
}

import { randomBytes } from "node:crypto";
import type { Reach } from "../../../scripts/lib/backends.ts";
import { etcdBackend } from "../../../src/backends/etcd/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { TestSubject } from "../../support/conform.ts";
import { shared } from "../../support/etcd/shared.ts";
import { realUnit } from "../../support/unit.ts";
import type { EtcdKind } from "./servers.ts";

/** In ms. With many tests beside, this process or the server may stand still for longer than the default. */
const connectTimeout = 20_000;

/** What runs all suites: another version, and a cluster, differ below the port alone. */
const like: Readonly<Record<string, string>> = { etcd34: "etcd35", "etcd35-cluster": "etcd35" };

/** A place is a prefix, on servers that all places of the process share. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  const kind = server as EtcdKind;
  return [
    {
      name: backend,
      like: like[backend],
      // What others do in one request may take three here, and each waits for the members' log.
      unit: realUnit + 250,
      atOnce: 4,
      async place() {
        const isCluster = backend.endsWith("-cluster");
        const { url } = await (isCluster ? shared.cluster(kind) : shared.single(kind));
        const prefix = `test-${randomBytes(6).toString("hex")}/`;
        const one = isCluster ? (await shared.cluster(kind)).members[0] : await shared.single(kind);
        return placeOf(() => etcdBackend({ url, prefix, connectTimeout }), {
          remove: async () => one?.remove(prefix),
        });
      },
    },
  ];
}

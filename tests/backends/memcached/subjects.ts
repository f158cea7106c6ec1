import { randomBytes } from "node:crypto";
import type { Reach } from "../../../scripts/lib/backends.ts";
import { memcachedBackend } from "../../../src/backends/memcached/index.ts";
import { placeOf } from "../../../src/testing/place.ts";
import type { TestSubject } from "../../support/conform.ts";
import { memcachedUrl, sharedMemcached, sharedThree } from "../../support/memcached/server.ts";
import type { MemcachedKind } from "./servers.ts";

/** In ms. With many tests beside, this process or the server may stand still for longer than the defaults. */
const patience = { connectTimeout: 20_000, replyTimeout: 20_000 };

/** What runs all suites is one of each version, and one of each arrangement. */
const like: Readonly<Record<string, string>> = { memcached: "memcached16", "memcached16-three": "memcached-three" };

/** A place is a prefix, on servers that all places of the process share. One server keeps no fences, three do. */
export function subjects({ backend, server }: Reach): readonly TestSubject[] {
  const kind = server as MemcachedKind;
  const isAlone = backend === server;
  return [
    {
      name: backend,
      like: like[backend],
      async place() {
        const servers = isAlone ? [await sharedMemcached(kind)] : await sharedThree(kind);
        const url = memcachedUrl(...servers.map(({ port }) => port));
        const prefix = `test-${randomBytes(6).toString("hex")}`;
        return placeOf(() => memcachedBackend({ url, prefix, guard: isAlone ? "none" : "floor", ...patience }));
      },
    },
  ];
}

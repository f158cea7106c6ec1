import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/** What can be started: the memcached of Debian stable, and one of now. */
export type MemcachedKind = "memcached16" | "memcached";

const memcached = { file: "usr/bin/memcached", says: /^memcached ([\d.]+)/ } as const;
const packages = ["memcached"];

export const wanted: Readonly<Record<MemcachedKind, Wanted>> = {
  memcached16: {
    ...memcached,
    version: "1.6.18",
    debian: { release: "here", folder: "memcached", packages },
  },
  memcached: { ...memcached, version: "1.6.40", debian: { release: "sid", folder: "memcached-sid", packages } },
};

/** The program of a kind, where it is there. */
export function findServer(kind: MemcachedKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}

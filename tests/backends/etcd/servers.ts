import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/** The oldest etcd that is tested, and one of now. */
export type EtcdKind = "etcd34" | "etcd35";

const etcd = { file: "usr/bin/etcd", says: /^etcd Version: ([\d.]+)/ } as const;
const here = { release: "here", folder: "etcd", packages: ["etcd-server"] } as const;
const sid = { release: "sid", folder: "etcd-sid", packages: ["etcd-server"] } as const;

export const wanted: Readonly<Record<EtcdKind, Wanted>> = {
  etcd34: { ...etcd, version: "3.4", alone: true, debian: here },
  etcd35: { ...etcd, version: "3.5", debian: sid },
};

/** The program of a kind, where it is there. */
export function findServer(kind: EtcdKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}

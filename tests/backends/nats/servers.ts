import { findProgram, type ServerProgram, type Wanted } from "../../../scripts/lib/servers/find.ts";

/** What can be started: the NATS of this Debian, which is 2.9 on 12 and ends no key by itself, and a NATS of now. */
export type NatsKind = "nats29" | "nats";

const nats = { file: "usr/sbin/nats-server", says: /^nats-server: v([\d.]+)/ };
const packages = ["nats-server"];

export const wanted: Readonly<Record<NatsKind, Wanted>> = {
  nats29: { ...nats, version: "2.9", debian: { release: "here", packages, folder: "nats" } },
  nats: { ...nats, version: "2.11", debian: { release: "sid", packages, folder: "nats-sid" } },
};

/** The program of a kind, where it is there. */
export function findServer(kind: NatsKind): ServerProgram | undefined {
  return findProgram(kind, wanted[kind]);
}

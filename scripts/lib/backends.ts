import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findServer, type ServerKind } from "./servers/find.ts";
import { installServers } from "./servers/install.ts";

/** A backend and, when the tests cannot run on it here, the reason. */
export interface Reach {
  readonly backend: string;
  /** Of its server, where it has one. */
  readonly version?: string;
  readonly missing?: string;
}

/** Servers that the tests start, and the arrangements that each of them is tested in. */
const servers: Readonly<Record<ServerKind, readonly string[]>> = {
  redis: ["", "-sentinel", "-cluster"],
  redis8: [""],
  valkey: ["", "-sentinel", "-cluster"],
};
const kinds = Object.keys(servers) as ServerKind[];

export interface ReachOptions {
  /** Fetches servers that are missing, where it can, and tells of it line by line. */
  readonly install?: (line: string) => void;
}

/** Which backends the tests can run on, on this machine. */
export async function reachBackends(options: ReachOptions = {}): Promise<Reach[]> {
  const reasons = options.install ? await installServers(kinds, options.install) : new Map<ServerKind, string>();
  return [
    { backend: "null" },
    { backend: "memory" },
    await reachLmdb(),
    ...kinds.flatMap((kind) => reachServer(kind, reasons.get(kind))),
  ];
}

function reachServer(kind: ServerKind, reason = "it is not there: `npm test` fetches it where it can"): Reach[] {
  const program = findServer(kind);
  return servers[kind].map((arrangement) => ({
    backend: `${kind}${arrangement}`,
    ...(program ? { version: program.version } : { missing: reason }),
  }));
}

async function reachLmdb(): Promise<Reach> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-probe-"));
  try {
    const { open } = await import("lmdb");
    const database = open({ path: folder });
    await database.put("probe", 1);
    await database.close();
    return { backend: "lmdb" };
  } catch (error) {
    return { backend: "lmdb", missing: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findServer, wanted, type ServerKind } from "./servers/find.ts";
import { installServers } from "./servers/install.ts";

/** A backend and, when the tests cannot run on it here, the reason. */
export interface Reach {
  readonly backend: string;
  /** The server it needs, where it needs one. */
  readonly server?: ServerKind;
  /** Of its server, where it has one. */
  readonly version?: string;
  readonly missing?: string;
  /** Tested where it is there, and nothing says that it has to be: no package that the tests can fetch holds its server. */
  readonly optional?: true;
}

/** Servers that the tests start, and the arrangements that each of them is tested in. */
const servers: Readonly<Record<ServerKind, readonly string[]>> = {
  redis: ["", "-sentinel", "-cluster"],
  redis8: [""],
  valkey: ["", "-sentinel", "-cluster"],
  redis6: ["", "-sentinel", "-cluster"],
  keydb: ["", "-sentinel", "-cluster"],
  dragonfly: [""],
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
    { backend: "store" },
    await reachLmdb(),
    ...kinds.flatMap((kind) => reachServer(kind, reasons.get(kind))),
  ];
}

function reachServer(server: ServerKind, reason = "it is not there: `npm test` fetches it where it can"): Reach[] {
  const program = findServer(server);
  const { debian, file, major } = wanted[server];
  const why = debian ? reason : `no package holds ${file} ${major}: put it on the PATH`;
  return servers[server].map((arrangement) => ({
    backend: `${server}${arrangement}`,
    server,
    ...(program ? { version: program.version } : { missing: why }),
    ...(debian ? {} : { optional: true }),
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

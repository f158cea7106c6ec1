import { once } from "node:events";
import { connect } from "node:net";
import { findServer, wanted, type MemcachedKind } from "../../backends/memcached/servers.ts";
import { faulted } from "../faults/kinds.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import { sharing } from "../servers/shared.ts";

export interface MemcachedOptions {
  readonly kind: MemcachedKind;
  /** Such as `["-m", "16"]`. */
  readonly settings?: readonly string[];
  /** How it is asked whether it serves. Default: for its version, over a connection of its own. */
  readonly ping?: (port: number) => Promise<unknown>;
}

/** One running memcached. */
export class MemcachedServer extends TestServer {
  declare readonly kind: MemcachedKind;

  static async start({ kind, settings = [], ping = askVersion }: MemcachedOptions): Promise<MemcachedServer> {
    const program = present(findServer(kind), kind);
    const [port = 0] = await freePorts(1);
    const server = new MemcachedServer(program, port);
    const user = process.getuid?.() === 0 ? ["-u", "root"] : [];
    await server.begin({
      command: [...program.command, ...user, "-l", server.host, "-p", String(port), "-t", "2", ...settings],
      ping: async () => ping(port),
      clear: () => undefined, // it never has anything on disk
    });
    return server;
  }

  get url(): string {
    return memcachedUrl(this.port);
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export const startMemcached = async (options: MemcachedOptions): Promise<MemcachedServer> =>
  MemcachedServer.start(options);

/** Servers that a test file shares: see {@link sharing}. */
export const sharedMemcached = sharing<MemcachedKind, MemcachedServer>(async (kind) => startMemcached({ kind }));
export const sharedThree = sharing<MemcachedKind, readonly MemcachedServer[]>(async (kind) =>
  Promise.all(Array.from({ length: 3 }, async () => startMemcached({ kind }))),
);

/** Servers on ports of 127.0.0.1. */
export function memcachedUrl(...ports: readonly number[]): string {
  return `memcached://${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
}

/** Why tests on a kind of server are skipped; false where they run. */
export const lacks = (kind: MemcachedKind): string | false => (findServer(kind) ? false : `${kind} is not there`);

export const kinds = Object.keys(wanted) as readonly MemcachedKind[];

/** Sends lines over a connection of its own; what comes back until the last line's reply has come. */
export async function sendLines(port: number, until: RegExp, ...lines: readonly string[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.setTimeout(2_000, () => socket.destroy(new Error("no reply")));
  let found = "";
  try {
    await once(socket, "connect");
    socket.write(lines.map((line) => `${line}\r\n`).join(""));
    for await (const chunk of socket) {
      found += (chunk as Buffer).toString("latin1");
      if (until.test(found)) return found;
    }
    throw new Error(`the connection was closed after ${JSON.stringify(found)}`);
  } finally {
    socket.destroy();
  }
}

const askVersion = async (port: number): Promise<unknown> => sendLines(port, /\r\n$/, "version");

/** What the tests of faults run on: see {@link faulted}. */
export const faultKinds = faulted<MemcachedKind>(["memcached"], ["memcached16"]);

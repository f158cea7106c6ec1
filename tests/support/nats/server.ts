import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { findServer, type NatsKind } from "../../backends/nats/servers.ts";
import type { Certificate } from "../redis/certificate.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import { sharing } from "../servers/shared.ts";

export interface NatsOptions {
  readonly kind: NatsKind;
  /** Has each write on disk before it is acknowledged, where the server can. */
  readonly flushes?: boolean;
  /** More of the configuration, such as `"max_payload: 64KB"`. */
  readonly settings?: string;
  /** `user:password`, or a token, where the settings ask for it. */
  readonly login?: string;
  /** Serves TLS, with this certificate. */
  readonly tls?: Certificate;
}

/** One running NATS with JetStream. */
export class NatsServer extends TestServer {
  declare readonly kind: NatsKind;
  #login: string | undefined;
  #ca: string | undefined;

  static async start({ kind, flushes = false, settings = "", login, tls }: NatsOptions): Promise<NatsServer> {
    const program = present(findServer(kind), kind);
    const [port = 0] = await freePorts(1);
    const server = new NatsServer(program, port);
    server.#login = login;
    server.#ca = tls?.cert;
    const data = path.join(server.folder, "data");
    const file = path.join(server.folder, "server.conf");
    const sync = flushes && kind === "nats" ? "sync_interval: always" : "";
    const stream = `jetstream { store_dir: "${data}", max_mem: 1GB, max_file: 4GB, ${sync} }`;
    const [certFile, keyFile] = ["cert", "key"].map((name) => path.join(server.folder, `${name}.pem`)) as [
      string,
      string,
    ];
    if (tls) {
      writeFileSync(certFile, tls.cert);
      writeFileSync(keyFile, tls.key);
    }
    const secure = tls ? `tls { cert_file: "${certFile}", key_file: "${keyFile}" }` : "";
    writeFileSync(file, `host: 127.0.0.1\nport: ${port}\n${stream}\n${secure}\n${settings}\n`);
    await server.begin({
      command: [...program.command, "-c", file],
      ping: async () => {
        const connection = await server.connect();
        try {
          // JetStream comes a moment later than the port.
          const reply = await connection.request("$JS.API.INFO", "", { timeout: 1_000 });
          if (/"error"/.test(reply.string())) throw new Error(reply.string());
        } finally {
          await connection.close();
        }
      },
      clear: () => rmSync(data, { recursive: true, force: true }),
    });
    return server;
  }

  /** Without a bucket. */
  get url(): string {
    return natsUrl(this.port);
  }

  /** A connection of the driver's. */
  async connect(): Promise<NatsConnection> {
    const [user = "", pass] = this.#login?.split(":") ?? [];
    const way = pass === undefined ? { token: user } : { user, pass };
    const tls = this.#ca === undefined ? {} : { tls: { ca: this.#ca } };
    return connect({ servers: `${this.host}:${this.port}`, timeout: 20_000, ...way, ...tls });
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  return NatsServer.start(options);
}

/** Of servers on ports of 127.0.0.1. */
export function natsUrl(...ports: readonly number[]): string {
  return `nats://${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
}

/** A server of the kind that a test file shares, with a bucket for each place. */
export const sharedNats = sharing<NatsKind, NatsServer>(async (kind) => startNats({ kind }));

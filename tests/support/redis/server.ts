import { rmSync } from "node:fs";
import path from "node:path";
import { findServer, type ServerKind } from "../../backends/redis/servers.ts";
import { freePorts } from "../servers/ports.ts";
import { present, TestServer } from "../servers/server.ts";
import { makeCertificate } from "./certificate.ts";
import { configured, type RedisOptions, type Role } from "./configuration.ts";
import { sendOnce, type Endpoint, type WireReply } from "./wire.ts";

/** One running Redis or Valkey. */
export class RedisServer extends TestServer implements Endpoint {
  declare readonly kind: ServerKind;
  readonly password: string | undefined;
  /** What a client has to trust, as PEM; undefined without TLS. */
  readonly ca: string | undefined;

  private constructor(options: RedisOptions, port: number, ca: string | undefined) {
    super(present(findServer(options.kind), options.kind), port);
    this.password = options.password;
    this.ca = ca;
  }

  /** Starts one and resolves when it answers. */
  static async start(options: RedisOptions, role: Role = {}): Promise<RedisServer> {
    const [free = 0] = role.port === undefined ? await freePorts(1) : [role.port];
    const certificate = options.tls === true ? (role.certificate ?? makeCertificate()) : undefined;
    const server = new RedisServer(options, free, certificate?.cert);
    const { command } = present(findServer(options.kind), options.kind);
    await server.begin({
      command: [...command, ...configured(options, server, certificate, role)],
      ping: async () => sendOnce(server, ["PING"], 1_000),
      clear() {
        for (const name of ["appendonlydir", "appendonly.aof", "dump.rdb"]) {
          rmSync(path.join(server.folder, name), { recursive: true, force: true });
        }
      },
    });
    return server;
  }

  /** As `redis[s]://`, with the password of `default`. */
  get url(): string {
    const login = this.password === undefined ? "" : `:${encodeURIComponent(this.password)}@`;
    return `redis${this.ca === undefined ? "" : "s"}://${login}${this.host}:${this.port}`;
  }

  /** Sends one command on a connection of its own. An error reply rejects. */
  async command(...args: readonly string[]): Promise<WireReply> {
    return sendOnce(this, args);
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  return RedisServer.start(options);
}

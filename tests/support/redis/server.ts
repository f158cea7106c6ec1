import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findServer, type ServerKind } from "../../backends/redis/servers.ts";
import { makeCertificate } from "./certificate.ts";
import { configured, type RedisOptions, type Role } from "./configuration.ts";
import { freePorts } from "./ports.ts";
import { removeFolder, ServerProcess } from "./process.ts";
import { sendOnce, type Endpoint, type WireReply } from "./wire.ts";

/** One running Redis or Valkey on a private port of 127.0.0.1, with a private folder. */
export class RedisServer implements Endpoint {
  readonly kind: ServerKind;
  /** As the program says, such as `"7.0.15"`. */
  readonly version: string;
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly password: string | undefined;
  /** What a client has to trust, as PEM; undefined without TLS. */
  readonly ca: string | undefined;
  readonly folder: string;
  readonly #command: readonly string[];
  #process: ServerProcess;

  private constructor(options: RedisOptions, port: number, role: Role) {
    const program = findServer(options.kind);
    if (!program)
      throw new Error(`${options.kind} is not there: \`npm test\` fetches it where it can, and says why not`);
    this.kind = options.kind;
    this.version = program.version;
    this.port = port;
    this.password = options.password;
    this.folder = mkdtempSync(path.join(tmpdir(), "holdfast-redis-"));
    const certificate = options.tls === true ? (role.certificate ?? makeCertificate()) : undefined;
    this.ca = certificate?.cert;
    this.#command = [...program.command, ...configured(options, this, certificate, role)];
    this.#process = new ServerProcess(this.#command, this.folder);
  }

  /** Starts one and resolves when it answers. */
  static async start(options: RedisOptions, role: Role = {}): Promise<RedisServer> {
    const [free = 0] = role.port === undefined ? await freePorts(1) : [role.port];
    const server = new RedisServer(options, free, role);
    await server.answers();
    return server;
  }

  /** As `redis[s]://`, with the password of `default`. */
  get url(): string {
    const login = this.password === undefined ? "" : `:${encodeURIComponent(this.password)}@`;
    return `redis${this.ca === undefined ? "" : "s"}://${login}${this.host}:${this.port}`;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  /** Sends one command on a connection of its own. An error reply rejects. */
  async command(...args: readonly string[]): Promise<WireReply> {
    return sendOnce(this, args);
  }

  /** Resolves when it answers and has loaded its data. */
  async answers(): Promise<void> {
    const until = performance.now() + 10_000;
    for (;;) {
      try {
        await sendOnce(this, ["PING"], 1_000);
        return;
      } catch (error) {
        if (!this.isRunning) throw new Error(`${this.kind} has ended:\n${this.#process.log}`, { cause: error });
        if (performance.now() > until) throw new Error(`${this.kind} does not answer`, { cause: error });
      }
      await pause(10);
    }
  }

  /** Ends it at once, or with another signal, and keeps its folder. Resolves when it has ended. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#process.end(signal);
  }

  /** Stops it in its tracks: connections stay open and nothing is answered. */
  pause(): void {
    this.#process.signal("SIGSTOP");
  }

  resume(): void {
    this.#process.signal("SIGCONT");
  }

  /** Ends it where it runs, and starts it on the same port: with what it had on disk, or with nothing. */
  async restart(options: { readonly keep: boolean } = { keep: true }): Promise<void> {
    await this.kill();
    if (!options.keep) {
      for (const name of ["appendonlydir", "appendonly.aof", "dump.rdb"]) {
        rmSync(path.join(this.folder, name), { recursive: true, force: true });
      }
    }
    this.#process = new ServerProcess(this.#command, this.folder);
    await this.answers();
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    removeFolder(this.folder);
  }
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  return RedisServer.start(options);
}

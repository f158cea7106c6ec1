import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { findServer, type ServerKind } from "../../../scripts/lib/servers/find.ts";
import { makeCertificate, type Certificate } from "./certificate.ts";
import { freePorts } from "./ports.ts";
import { removeFolder, ServerProcess } from "./process.ts";
import { sendOnce, type Endpoint, type WireReply } from "./wire.ts";

export interface RedisOptions {
  readonly kind: ServerKind;
  /** Writes each command to disk, flushed each time or each second, so that a restart keeps the data. Default: it does not. */
  readonly appendonly?: "always" | "everysec";
  /** Of the user `default`. */
  readonly password?: string;
  /** Lines of an ACL file, such as `"user app on >secret ~hf:* &* +@all"`. */
  readonly users?: readonly string[];
  /** Serves TLS only, on the port, with a certificate of its own. Client certificates are not asked for. */
  readonly tls?: boolean;
  /** More directives of the configuration. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Settings of a server among others. */
interface Role {
  readonly port?: number;
  readonly settings?: Readonly<Record<string, string>>;
  /** What a sentinel is told of its group. */
  readonly sentinel?: string;
  /** The certificate of the group, whose servers trust each other. */
  readonly certificate?: Certificate | undefined;
}

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
    const settings = settingsOf(options, this, certificate, role);
    const file = path.join(this.folder, "server.conf");
    writeFileSync(file, `${settings.join("\n")}\n${role.sentinel ?? ""}`);
    this.#command = [...program.command, file, ...(role.sentinel === undefined ? [] : ["--sentinel"])];
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

function settingsOf(
  { appendonly, password, users, tls, settings }: RedisOptions,
  { port, folder }: { readonly port: number; readonly folder: string },
  certificate: Certificate | undefined,
  role: Role,
): string[] {
  const lines = new Map<string, string>([
    [tls === true ? "tls-port" : "port", String(port)],
    ["bind", "127.0.0.1"],
    ["protected-mode", "no"],
    ["dir", folder],
  ]);
  if (certificate) {
    lines.set("port", "0");
    for (const [directive, text] of [
      ["tls-cert-file", certificate.cert],
      ["tls-key-file", certificate.key],
      ["tls-ca-cert-file", certificate.cert],
    ] as const) {
      const file = path.join(folder, `${directive}.pem`);
      writeFileSync(file, text, { mode: 0o600 });
      lines.set(directive, file);
    }
    lines.set("tls-auth-clients", "no");
    lines.set("tls-replication", "yes");
  }
  if (password !== undefined) lines.set("requirepass", JSON.stringify(password));
  if (role.sentinel === undefined) {
    lines.set("save", '""');
    lines.set("appendonly", appendonly === undefined ? "no" : "yes");
    if (appendonly !== undefined) lines.set("appendfsync", appendonly);
    if (password !== undefined) lines.set("masterauth", JSON.stringify(password));
    lines.set("repl-diskless-sync-delay", "0");
    if (certificate) lines.set("tls-cluster", "yes");
  }
  for (const [name, value] of Object.entries({ ...role.settings, ...settings })) lines.set(name, value);
  return [...[...lines].map(([name, value]) => `${name} ${value}`), ...(users ?? [])];
}

/** Starts one server. Stop it with `stop()`; it also ends with this process. */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  return RedisServer.start(options);
}

import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ServerKind } from "../../backends/redis/servers.ts";
import type { Certificate } from "./certificate.ts";

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
export interface Role {
  readonly port?: number;
  readonly settings?: Readonly<Record<string, string>>;
  /** What a sentinel is told of its group. */
  readonly sentinel?: string;
  /** The certificate of the group, whose servers trust each other. */
  readonly certificate?: Certificate | undefined;
}

interface Place {
  readonly port: number;
  readonly folder: string;
}

/** Writes what a server is told into its folder; gives the arguments that make it read that. */
export function configured(
  options: RedisOptions,
  place: Place,
  certificate: Certificate | undefined,
  role: Role,
): string[] {
  const file = path.join(place.folder, "server.conf");
  if (options.kind === "dragonfly") {
    writeFileSync(file, flagsOf(options, place).join("\n"));
    return [`--flagfile=${file}`];
  }
  writeFileSync(file, `${settingsOf(options, place, certificate, role).join("\n")}\n${role.sentinel ?? ""}`);
  return [file, ...(role.sentinel === undefined ? [] : ["--sentinel"])];
}

/** Dragonfly has no log of writes: one that is to keep its data takes snapshots. */
function flagsOf({ appendonly, settings }: RedisOptions, { port, folder }: Place): string[] {
  const flags = {
    port: String(port),
    bind: "127.0.0.1",
    dir: folder,
    dbfilename: "dump",
    snapshot_cron: appendonly === undefined ? "" : "* * * * *",
    proactor_threads: "2",
    maxmemory: "1gb",
    version_check: "false",
    ...settings,
  };
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

function settingsOf(
  { appendonly, password, users, tls, settings }: RedisOptions,
  { port, folder }: Place,
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

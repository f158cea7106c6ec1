import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { serverCache } from "./cache.ts";

/** What can be started: the oldest Redis that is supported, a Redis of now, and Valkey. */
export type ServerKind = "redis" | "redis8" | "valkey";

/** A server's program on this machine. */
export interface ServerProgram {
  readonly kind: ServerKind;
  /** As the program says, such as `"7.0.15"`. */
  readonly version: string;
  /** The file to run and the arguments that come before the server's own. It is a sentinel with `--sentinel`. */
  readonly command: readonly [string, ...string[]];
}

interface Wanted {
  readonly file: string;
  /** The packages that hold it. */
  readonly packages: readonly string[];
  /** How `--version` begins: a Valkey may be installed under Redis' names. */
  readonly says: string;
  readonly major: number;
  /** The folder of the cache that it is unpacked into. */
  readonly folder: string;
}

const redisPackages = ["redis-server", "redis-tools"];

export const wanted: Readonly<Record<ServerKind, Wanted>> = {
  redis: { file: "redis-server", packages: redisPackages, says: "Redis", major: 7, folder: "apt" },
  redis8: { file: "redis-server", packages: redisPackages, says: "Redis", major: 8, folder: "sid" },
  valkey: {
    file: "valkey-server",
    packages: ["valkey-server", "valkey-tools"],
    says: "Valkey",
    major: 9,
    folder: "sid",
  },
};

const found = new Map<ServerKind, ServerProgram>();

/** The program of a kind: of the PATH where it is new enough, else of the cache. Undefined where there is none. */
export function findServer(kind: ServerKind): ServerProgram | undefined {
  const known = found.get(kind);
  if (known) return known;
  const { file, folder } = wanted[kind];
  for (const command of [...onPath(file), ...unpacked(path.join(serverCache, folder), file)]) {
    const version = versionOf(command, wanted[kind]);
    if (version === undefined) continue;
    const program: ServerProgram = { kind, version, command };
    found.set(kind, program);
    return program;
  }
  return undefined;
}

type Command = readonly [string, ...string[]];

function onPath(file: string): Command[] {
  return (process.env["PATH"] ?? "")
    .split(path.delimiter)
    .map((folder) => path.join(folder, file))
    .filter((candidate) => path.isAbsolute(candidate) && existsSync(candidate))
    .map((candidate): Command => [candidate]);
}

/** A program below another root, run by that root's own loader and libraries where it has them, else by this machine's. */
function unpacked(root: string, file: string): Command[] {
  const program = path.join(root, "usr/bin", file);
  if (!existsSync(program)) return [];
  const below = path.join(root, "usr/lib");
  const folders = existsSync(below) ? readdirSync(below).filter((folder) => folder.includes("-linux-")) : [];
  const libraries = folders.map((folder) => path.join(below, folder));
  const search = libraries.join(":");
  for (const folder of libraries) {
    const loader = readdirSync(folder).find((name) => name.startsWith("ld-linux-"));
    if (loader !== undefined) return [[path.join(folder, loader), "--library-path", search, program]];
  }
  return [["/usr/bin/env", `LD_LIBRARY_PATH=${search}`, program]];
}

function versionOf(command: Command, { says, major }: Wanted): string | undefined {
  try {
    const [file, ...args] = command;
    const text = execFileSync(file, [...args, "--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const match = /^(\w+) server v=((\d+)[.\d]*)/.exec(text);
    return match?.[1] === says && Number(match[3]) >= major ? match[2] : undefined;
  } catch {
    return undefined; // it does not run here: as good as not there
  }
}

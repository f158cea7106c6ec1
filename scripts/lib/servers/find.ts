import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { serverCache } from "./cache.ts";

/**
 * What can be started: the Redis of Debian stable, a Redis of now, and Valkey; and where somebody has put them on the PATH, the
 * oldest Redis that is supported, KeyDB and Dragonfly.
 */
export type ServerKind = "redis" | "redis8" | "valkey" | "redis6" | "keydb" | "dragonfly";

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
  /** What `--version` begins with, up to the number: a Valkey may be installed under Redis' names. */
  readonly says: string;
  readonly major: number;
  /** This major version alone. Default: newer ones do as well. */
  readonly alone?: true;
  /** Where to fetch it from; undefined where Debian does not have it. */
  readonly debian?: {
    readonly packages: readonly string[];
    /** The folder of the cache that it is unpacked into. */
    readonly folder: string;
  };
}

const redis = { file: "redis-server", says: "Redis server v=" };
const redisPackages = ["redis-server", "redis-tools"];

export const wanted: Readonly<Record<ServerKind, Wanted>> = {
  redis: { ...redis, major: 7, debian: { packages: redisPackages, folder: "apt" } },
  redis8: { ...redis, major: 8, debian: { packages: redisPackages, folder: "sid" } },
  valkey: {
    file: "valkey-server",
    says: "Valkey server v=",
    major: 9,
    debian: { packages: ["valkey-server", "valkey-tools"], folder: "sid" },
  },
  redis6: { ...redis, major: 6, alone: true },
  keydb: { file: "keydb-server", says: "KeyDB server v=", major: 6 },
  dragonfly: { file: "dragonfly", says: "dragonfly v", major: 1 },
};

const found = new Map<ServerKind, ServerProgram>();

/** The program of a kind: of the PATH where it is new enough, else of the cache. Undefined where there is none. */
export function findServer(kind: ServerKind): ServerProgram | undefined {
  const known = found.get(kind);
  if (known) return known;
  const { file, debian } = wanted[kind];
  const fetched = debian ? unpacked(path.join(serverCache, debian.folder), file) : [];
  for (const command of [...onPath(file), ...fetched]) {
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

function versionOf(command: Command, { says, major, alone }: Wanted): string | undefined {
  try {
    const [file, ...args] = command;
    const output = execFileSync(file, [...args, "--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const text = stripVTControlCharacters(output);
    if (!text.startsWith(says)) return undefined;
    const [version, its] = /^(\d+)[.\d]*/.exec(text.slice(says.length)) ?? [];
    return (alone === true ? Number(its) === major : Number(its) >= major) ? version : undefined;
  } catch {
    return undefined; // it does not run here: as good as not there
  }
}

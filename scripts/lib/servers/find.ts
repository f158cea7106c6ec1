import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { serverCache } from "./cache.ts";

/** A server's program on this machine. */
export interface ServerProgram {
  readonly kind: string;
  /** As the program says, such as `"7.0.15"`. */
  readonly version: string;
  /** The file to run and the arguments that come before the server's own. It is a sentinel with `--sentinel`. */
  readonly command: readonly [string, ...string[]];
}

/** A server that tests start. */
export interface Wanted {
  readonly file: string;
  /** What `--version` begins with, up to the number: some are installed under the name of another. */
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

const found = new Map<string, ServerProgram>();

/** The program of a kind: of the PATH where it is new enough, else of the cache. Undefined where there is none. */
export function findProgram(kind: string, wanted: Wanted): ServerProgram | undefined {
  const known = found.get(kind);
  if (known) return known;
  const { file, debian } = wanted;
  const fetched = debian ? unpacked(path.join(serverCache, debian.folder), file) : [];
  for (const command of [...onPath(file), ...fetched]) {
    const version = versionOf(command, wanted);
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

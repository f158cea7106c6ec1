import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { serverCache } from "./cache.ts";

/** A server's program on this machine. */
export interface ServerProgram {
  readonly kind: string;
  /** As the program says, such as `"7.0.15"`. */
  readonly version: string;
  /** The file to run and the arguments that come before the server's own. It is a sentinel with `--sentinel`. */
  readonly command: Command;
  /** The root that its package lies below: `"/"`, or a folder of the cache. */
  readonly root: string;
}

export type Command = readonly [string, ...string[]];

/** A server that tests start. */
export interface Wanted {
  /** The file in its package, such as `usr/bin/redis-server`. It may as well be on the PATH. */
  readonly file: string;
  /** Matches what `--version` says, with the number as its group: some are installed under the name of another. */
  readonly says: RegExp;
  /** The oldest that will do, such as `"10.11"`. */
  readonly version: string;
  /** This version alone. Default: newer ones do as well. */
  readonly alone?: true;
  /** It does not run as root: there it is run as nobody in a namespace of its own, to whom the files of root are open. */
  readonly refusesRoot?: true;
  /** Where to fetch it from; undefined where Debian does not have it. */
  readonly debian?: {
    /** Of the release of this machine, or of Debian sid. */
    readonly release: "here" | "sid";
    readonly packages: readonly string[];
    /** The folder of the cache that it is unpacked into, with all of its family and nothing else. */
    readonly folder: string;
  };
}

const programs = new Map<string, ServerProgram>();

/** The program of a kind: of the machine where it is new enough, else of the cache. Undefined where there is none. */
export function findProgram(kind: string, wanted: Wanted): ServerProgram | undefined {
  const known = programs.get(kind);
  if (known) return known;
  for (const { root, file } of candidates(wanted)) {
    const command = commandOf(root, file, wanted);
    const version = versionOf(command, wanted);
    if (version === undefined) continue;
    const program: ServerProgram = { kind, version, command, root };
    programs.set(kind, program);
    return program;
  }
  return undefined;
}

/**
 * How to run another program of the package, named as in {@link Wanted.file}. It is for programs that start one another: of a root
 * that has a loader of its own, they run within that root, and see the files there alone.
 */
export function findTool({ root, command }: ServerProgram, wanted: Wanted, file: string): Command {
  const [server = ""] = command.slice(-1);
  const beside = path.join(path.dirname(realpathSync(server)), path.basename(file));
  const tool = [beside, ...installed(file), path.join(root, file)].find((one) => existsSync(one)) ?? file;
  if (root === "/" || loaderOf(root) === undefined) return commandOf(root, tool, wanted);
  return ["unshare", ...disguise(wanted), "--root", root, path.join("/", path.relative(root, tool))];
}

/** Such as `"mysqld 8.0 or newer"`. */
export function nameOf({ file, version, alone }: Wanted): string {
  return `${path.basename(file)} ${version}${alone ? "" : " or newer"}`;
}

interface Candidate {
  readonly root: string;
  readonly file: string;
}

function candidates({ file, debian }: Wanted): Candidate[] {
  const root = debian ? path.join(serverCache, debian.folder) : undefined;
  return [
    ...installed(file).map((one): Candidate => ({ root: "/", file: one })),
    ...(root === undefined ? [] : [{ root, file: path.join(root, file) }]),
  ].filter((one) => existsSync(one.file));
}

/** Where a program may be that is installed. */
function installed(file: string): string[] {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return [...folders.map((folder) => path.join(folder, path.basename(file))), path.join("/", file)];
}

function commandOf(root: string, file: string, wanted: Wanted): Command {
  const user = disguise(wanted);
  const [first, ...rest] = root === "/" ? [file] : [...loading(root), file];
  return user.length === 0 ? [first, ...rest] : ["unshare", ...user, first, ...rest];
}

/** Settings of `unshare`. Nobody is the one user that every root knows. */
function disguise({ refusesRoot }: Wanted): string[] {
  return refusesRoot === true && userInfo().uid === 0
    ? ["--user", `--map-user=${nobody}`, `--map-group=${nobody}`]
    : [];
}

const nobody = 65_534;

/** What runs a program below another root: that root's own loader and libraries where it has them, else this machine's. */
function loading(root: string): string[] {
  const search = librariesOf(root).join(":");
  const loader = loaderOf(root);
  return loader === undefined ? ["/usr/bin/env", `LD_LIBRARY_PATH=${search}`] : [loader, "--library-path", search];
}

function loaderOf(root: string): string | undefined {
  return librariesOf(root)
    .flatMap((folder) => readdirSync(folder).map((name) => path.join(folder, name)))
    .find((file) => path.basename(file).startsWith("ld-linux-"));
}

function librariesOf(root: string): string[] {
  const found = ["usr/lib", "lib"]
    .map((folder) => path.join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => path.join(folder, name)))
    .filter((folder) => path.basename(folder).includes("-linux-"))
    .map((folder) => realpathSync(folder)); // one may be a link to the other
  return [...new Set(found)];
}

function versionOf(command: Command, { says, version: oldest, alone }: Wanted): string | undefined {
  try {
    const [file, ...args] = command;
    const output = execFileSync(file, [...args, "--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [, version] = says.exec(stripVTControlCharacters(output)) ?? [];
    if (version === undefined) return undefined;
    return (alone === true ? `${version}.`.startsWith(`${oldest}.`) : isSince(version, oldest)) ? version : undefined;
  } catch {
    return undefined; // it does not run here: as good as not there
  }
}

/** Whether a version, such as `"10.11.19"`, is `oldest` or newer. */
function isSince(version: string, oldest: string): boolean {
  const its = version.split(".").map(Number);
  for (const [place, number] of oldest.split(".").map(Number).entries()) {
    const other = its[place] ?? 0;
    if (other !== number) return other > number;
  }
  return true;
}

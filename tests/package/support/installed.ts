import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "../../../scripts/lib/run.ts";
import { alone } from "../../../scripts/lib/servers/cache.ts";
import { succeed } from "./process.ts";

/** What a project installs beside the packed package. */
export interface Wanted {
  /** Whether `lmdb` is installed too. */
  readonly optional: boolean;
  /** More packages, as npm names them. */
  readonly packages?: readonly string[];
  /** Whether packages run what they ask for when they are installed. Default: true. */
  readonly scripts?: boolean;
}

const cache = path.join(root, "node_modules/.cache/holdfast-consumers");

/**
 * Makes `folder` a project that has installed the packed package from its tarball. What was built is packed once, and each project is
 * installed once, by whichever test file needs it first, and kept until something else is built; each file has links to it.
 */
export async function installInto(folder: string, wanted: Wanted): Promise<void> {
  assert.ok(existsSync(path.join(root, "dist/entries/index.js")), "run `npm run build` first");
  await alone(async () => {
    const packed = path.join(cache, hashOf(builtFiles()));
    const project = path.join(packed, hashOf([JSON.stringify(wanted)]));
    if (!existsSync(packed)) await pack(packed);
    if (!existsSync(project)) await install(packed, project, wanted);
    linkTree(project, folder);
  }, "consumers");
}

/** What the tarball is made of. */
function* builtFiles(): Generator<string | Buffer> {
  const built = readdirSync(path.join(root, "dist"), { recursive: true, withFileTypes: true });
  const files = built.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
  for (const file of [...files.toSorted(), ...["package.json", "README.md"].map((name) => path.join(root, name))]) {
    yield file;
    yield readFileSync(file);
  }
}

function hashOf(parts: Iterable<string | Buffer>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/** What was packed before goes, with the projects that installed it. */
async function pack(target: string): Promise<void> {
  rmSync(cache, { recursive: true, force: true });
  const draft = path.join(cache, "new");
  mkdirSync(draft, { recursive: true });
  await succeed("npm", ["pack", "--ignore-scripts", "--pack-destination", draft], { cwd: root });
  renameSync(draft, target);
}

async function install(packed: string, target: string, { optional, packages = [], scripts }: Wanted): Promise<void> {
  const draft = path.join(packed, "new");
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  writeFileSync(path.join(draft, "package.json"), `{ "name": "consumer", "private": true, "type": "module" }\n`);
  const tarball = readdirSync(packed).find((name) => name.endsWith(".tgz")) ?? "";
  const args = ["install", "--prefix", draft, "--prefer-offline", "--no-audit", "--no-fund"];
  if (!optional) args.push("--omit=optional");
  if (scripts === false) args.push("--ignore-scripts");
  await succeed("npm", [...args, `../${tarball}`, ...packages], { cwd: draft, timeoutMs: 600_000 });
  renameSync(draft, target);
}

/** Packages are links to the same files; those of the project itself are copies, which a test may write to. */
function linkTree(from: string, to: string, place: (from: string, to: string) => void = copyFileSync): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target, linkOrCopy);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else place(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    copyFileSync(source, target); // another disk
  }
}

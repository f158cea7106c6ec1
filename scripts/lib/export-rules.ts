import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import type { BackendDefinition } from "../../src/port/index.ts";

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}

/** Compares the optional packages of package.json with the drivers that the backends name, both ways. */
export function checkDrivers(
  root: string,
  definitions: readonly Pick<BackendDefinition, "name" | "dependency">[],
): string[] {
  const { peerDependencies, peerDependenciesMeta, optionalDependencies } = manifestOf(root);
  const declared = new Map(Object.entries({ ...peerDependencies, ...optionalDependencies }));
  const problems: string[] = [];
  for (const { name: backend, dependency } of definitions) {
    if (!dependency) continue;
    const { name, range } = dependency;
    const found = declared.get(name);
    if (found === undefined) problems.push(`the driver ${name} of ${backend} is no optional package of package.json`);
    else if (found !== range)
      problems.push(`package.json has ${name} ${found}, and the definition of ${backend} ${range}`);
    declared.delete(name);
  }
  for (const name of declared.keys()) problems.push(`${name} is an optional package, and the driver of no backend`);
  for (const name of Object.keys(peerDependencies ?? {})) {
    if (peerDependenciesMeta?.[name]?.optional !== true) problems.push(`the peer ${name} must be optional`);
  }
  return problems;
}

/** The function of an entry that makes its backend: `toy`, or `toyBackend` where that is no name. */
export function makerOf(backend: string, names: readonly string[]): string | undefined {
  const name = backend.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return names.find((one) => one === name || one === `${name}Backend`);
}

/** What the entry of each backend must export: what makes it, and its classes. */
export function checkEntry(backend: string, names: readonly string[]): string[] {
  const maker = makerOf(backend, names);
  const store = names.find((name) => name.endsWith("StateStore"));
  const title = store?.slice(0, -"StateStore".length) ?? "";
  const missing = [
    ...(maker === undefined ? ["what makes it"] : []),
    ...(title.toLowerCase() === backend.replaceAll("-", "") ? [] : ["…StateStore"]),
    ...["Cache", "Lock"].filter((kind) => !names.includes(`${title}${kind}`)).map((kind) => `…${kind}`),
  ];
  return missing.length === 0 ? [] : [`src/entries/${backend}.ts does not export ${missing.join(", ")}`];
}

function manifestOf(root: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as Manifest;
}

/** Compares the exports of package.json with the entries in src and the files in dist, both ways. */
export function checkExports(root: string): string[] {
  const manifest = manifestOf(root);
  const entries = new Set(
    readdirSync(path.join(root, "src/entries"))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => name.slice(0, -".ts".length)),
  );
  const problems: string[] = [];
  const exported = new Set<string>();
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") {
      if (subpath !== target) problems.push(`"${subpath}" must be an object with types and default`);
      else if (!existsSync(path.join(root, target))) problems.push(`"${subpath}" names no file`);
      continue;
    }
    const name = subpath === "." ? "index" : subpath.slice("./".length);
    exported.add(name);
    problems.push(...checkTarget(root, subpath, name, target));
    if (!entries.has(name)) problems.push(`"${subpath}" has no src/entries/${name}.ts`);
  }
  for (const name of entries) {
    if (!exported.has(name)) problems.push(`src/entries/${name}.ts has no export in package.json`);
  }
  for (const [name, file] of Object.entries(manifest.bin ?? {})) problems.push(...checkBin(root, name, file));
  return problems;
}

function checkTarget(root: string, subpath: string, name: string, target: Readonly<Record<string, string>>): string[] {
  const problems: string[] = [];
  const conditions = Object.keys(target).join(", ");
  if (conditions !== "types, default") {
    problems.push(`"${subpath}" must list types, then default, and lists ${conditions}`);
  }
  for (const [condition, extension] of [
    ["types", "d.ts"],
    ["default", "js"],
  ] as const) {
    const expected = `./dist/entries/${name}.${extension}`;
    const actual = target[condition];
    if (actual === undefined) continue;
    if (actual !== expected) problems.push(`"${subpath}" has ${condition} ${actual} in place of ${expected}`);
    if (!existsSync(path.join(root, actual))) problems.push(`"${subpath}" names ${actual}, which was not built`);
  }
  return problems;
}

function checkBin(root: string, name: string, file: string): string[] {
  const absolute = path.join(root, file);
  if (!existsSync(absolute)) return [`bin "${name}" names ${file}, which was not built`];
  return readFileSync(absolute, "utf8").startsWith("#!/usr/bin/env node\n")
    ? []
    : [`bin "${name}" must start with #!/usr/bin/env node`];
}

import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}

/** Compares the exports of package.json with the entries in src and the files in dist, both ways. */
export function checkExports(root: string): string[] {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as Manifest;
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

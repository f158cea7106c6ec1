import { readdirSync } from "node:fs";
import path from "node:path";
import { readModule, type ModuleEdge, type SourceModule } from "./module-record.ts";

/** A place in the sources that breaks a rule. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

interface Layer {
  /** Layers whose values and types it may import, itself always included. */
  readonly may: readonly string[];
  /** Layers of which it may import types, but no values. */
  readonly types?: readonly string[];
  /** Layers that it may load with `import()`, so that they cost nothing until they are used. */
  readonly lazy?: readonly string[];
  /** Whether it may `import()` what only the run tells: a file of the user. */
  readonly computed?: boolean;
}

const features = ["state", "lock", "cache"] as const;
const backend: Layer = { may: ["base", "backends/common"], types: ["port"] };
const feature: Layer = { may: ["base", "client", "codec"], types: ["port"] };

/** The arrows of the architecture: a folder of `src` and what it may import. */
const layers: Readonly<Record<string, Layer>> = {
  base: { may: [] },
  port: { may: [], types: ["base"] },
  codec: { may: ["base"] },
  client: { may: ["base"], types: ["port"] },
  state: feature,
  lock: feature,
  cache: feature,
  holdfast: { may: ["base", "client", "codec", ...features], types: ["port"], lazy: ["backends/*"] },
  "backends/*": backend,
  entries: {
    may: ["base", "port", "client", "codec", ...features, "holdfast", "backends/*", "each", "testing"],
  },
  each: { may: ["base", "entries"], computed: true },
  cli: { may: ["base", "entries"] },
  testing: { may: ["base", "client", "codec", ...features, "holdfast", "backends/memory"], types: ["port"] },
};

/** No file of `src` may be longer; the aim is 250. */
export const maxLines = 300;

/** Built-in modules that published code must not need. */
const refusedBuiltins = new Set(["node:test", "node:sqlite", "node:test/reporters"]);

/** Checks every TypeScript file below `<root>/src`. */
export function checkImports(root: string): Finding[] {
  const source = path.join(root, "src");
  const findings: Finding[] = [];
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const absolute = path.join(entry.parentPath, entry.name);
    const file = path.relative(source, absolute).replaceAll(path.sep, "/");
    const add = (line: number, message: string): void => void findings.push({ file: `src/${file}`, line, message });
    checkFile(file, readModule(absolute), add);
  }
  return findings.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

type Add = (line: number, message: string) => void;

function checkFile(file: string, module: SourceModule, add: Add): void {
  if (module.lines > maxLines) add(maxLines + 1, `has ${module.lines} lines, more than ${maxLines}: split it`);
  const from = layerOf(file);
  const layer = layers[generic(from)];
  if (!layer) {
    add(1, `is in no known layer ("${from}")`);
    return;
  }
  if (from === "port") {
    for (const line of module.runtimeLines) add(line, "the port holds types only, and this is left after compilation");
  }
  for (const edge of module.edges) {
    if (edge.specifier.startsWith(".")) checkRelative(file, from, layer, edge, add);
    else checkPackage(from, layer, edge, add);
  }
}

function checkRelative(file: string, from: string, layer: Layer, edge: ModuleEdge, add: Add): void {
  if (!edge.specifier.endsWith(".ts")) {
    add(edge.line, `"${edge.specifier}": a relative import names its file with .ts`);
  }
  const target = path.posix.join(path.posix.dirname(file), edge.specifier);
  if (target.startsWith("..")) {
    add(edge.line, `"${edge.specifier}" leaves src`);
    return;
  }
  const to = layerOf(target);
  if (to === from || includes(layer.may, to)) return;
  if (includes(layer.types ?? [], to)) {
    if (!edge.typeOnly) add(edge.line, `${from} may import types of ${to} only: use "import type"`);
    return;
  }
  if (includes(layer.lazy ?? [], to)) {
    if (!edge.dynamic) add(edge.line, `${from} must load ${to} with import(), when it is first used`);
    return;
  }
  add(edge.line, `${from} must not import ${to}`);
}

function checkPackage(from: string, layer: Layer, edge: ModuleEdge, add: Add): void {
  if (edge.specifier === "") {
    if (!layer.computed) add(edge.line, "import() needs a plain string, or a bundler cannot see it");
  } else if (edge.specifier.startsWith("node:")) {
    if (refusedBuiltins.has(edge.specifier)) add(edge.line, `published code must not import ${edge.specifier}`);
  } else if (!from.startsWith("backends/")) {
    add(edge.line, `only a backend may load a package ("${edge.specifier}")`);
  } else if (!edge.dynamic) {
    add(edge.line, `the driver "${edge.specifier}" must be loaded with import(), when it is first used`);
  }
}

/** `backends/lmdb/backend.ts` is of layer `backends/lmdb`, `state/store.ts` of layer `state`. */
function layerOf(file: string): string {
  const parts = file.split("/");
  if (parts.length === 1) return ".";
  return parts[0] === "backends" && parts.length > 2 ? `backends/${parts[1]}` : (parts[0] ?? ".");
}

function generic(layer: string): string {
  return layer.startsWith("backends/") ? "backends/*" : layer;
}

function includes(allowed: readonly string[], layer: string): boolean {
  return allowed.includes(layer) || allowed.includes(generic(layer));
}

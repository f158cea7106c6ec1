import { readdirSync } from "node:fs";
import path from "node:path";
import { circlesOf, wayAround } from "./import-circles.ts";
import { readModule, type ModuleEdge, type SourceModule } from "./module-record.ts";

/** A place in the sources that breaks a rule. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

interface Layer {
  /** Layers, or single files of them, whose values and types it may import; itself always included. */
  readonly may: readonly string[];
  /** Layers of which it may import types, but no values. */
  readonly types?: readonly string[];
  /** Layers that it may load with `import()`, so that they cost nothing until they are used. */
  readonly lazy?: readonly string[];
  /** Whether it may `import()` what only the run tells: a file of the user. */
  readonly computed?: boolean;
}

const features = ["state", "lock", "cache"] as const;
/** The other layer of the same backend. */
const own = "(own)";
const feature: Layer = { may: ["base", "client", "codec"], types: ["port"] };

/** The arrows of the architecture: a folder of `src` and what it may import. */
const layers: Readonly<Record<string, Layer>> = {
  base: { may: [] },
  url: { may: ["base"] },
  port: { may: [], types: ["base", "url"] },
  codec: { may: ["base"] },
  client: { may: ["base"], types: ["port"] },
  state: feature,
  lock: feature,
  cache: feature,
  // What is known of a backend before it is loaded: no code of the backend, and no driver.
  "definitions/*": { may: ["base", "url"], types: ["port", own], lazy: [own] },
  "backends/*": {
    may: ["base", "url", "backends/common", "backends/machine", "backends/store", "backends/sql", own],
    types: ["port"],
  },
  // All definitions, and which of them a URL means.
  backends: { may: ["base", "url", "definitions/*"], types: ["port"] },
  holdfast: { may: ["base", "url", "client", "codec", ...features, "backends", "backends/store"], types: ["port"] },
  entries: {
    may: ["base", "url", "port", "client", "codec", ...features, "holdfast", "backends/*", "each", "testing"],
  },
  // It writes groups of its own making, which no part of the public API does.
  each: { may: ["base", "entries", "state/commit.ts"], computed: true },
  cli: { may: ["base", "backends", "entries"] },
  testing: { may: ["base", "client", "codec", ...features, "holdfast", "backends/memory"], types: ["port"] },
};

/** Files of a backend's folder that say what it is, without its code. */
const definitionFiles = new Set(["definition.ts", "dependency.ts", "url.ts"]);

/** Layers that are the same for every server, and name none. */
const serverless = new Set([
  "base",
  "url",
  "port",
  "codec",
  "client",
  ...features,
  "backends/common",
  "backends/machine",
  "backends/store",
  "backends/sql",
]);
const servers =
  /\b(?:redis|valkey|keydb|dragonfly|lmdb|memcached?|mongo(?:db)?|postgres(?:ql)?|mysql|mariadb|nats|etcd)\b/i;

/** No file of `src` may be longer; the aim is 250. */
export const maxLines = 300;
/** No line of `src` may be wider, unless it cannot be broken. Prettier leaves long comments and strings as they are. */
export const maxColumns = 120;

/** Built-in modules that published code must not need. */
const refusedBuiltins = new Set(["node:test", "node:sqlite", "node:test/reporters"]);

/** Checks every TypeScript file below `<root>/src`. */
export function checkImports(root: string): Finding[] {
  const source = path.join(root, "src");
  const findings: Finding[] = [];
  const modules = new Map<string, SourceModule>();
  for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const absolute = path.join(entry.parentPath, entry.name);
    const file = path.relative(source, absolute).replaceAll(path.sep, "/");
    const module = readModule(absolute);
    modules.set(file, module);
    checkFile(file, module, (line, message) => void findings.push({ file: `src/${file}`, line, message }));
  }
  findings.push(...checkCircles(modules), ...checkWidth(modules));
  return findings.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

type Modules = ReadonlyMap<string, SourceModule>;

/** Refuses files that import each other in a circle, types included: none of them can be read before the others. */
function checkCircles(modules: Modules): Finding[] {
  const graph = new Map([...modules].map(([file, { edges }]) => [file, edges.map((edge) => targetOf(file, edge))]));
  return circlesOf(graph).map((circle) => {
    const way = wayAround(graph, circle[0] as string);
    const [file, next] = way as [string, string];
    const line = modules.get(file)?.edges.find((edge) => targetOf(file, edge) === next)?.line ?? 1;
    const more = circle.length - (way.length - 1);
    const message = `imports itself in a circle: ${way.join(" -> ")}${more > 0 ? `, and ${more} files more` : ""}`;
    return { file: `src/${file}`, line, message };
  });
}

function checkWidth(modules: Modules): Finding[] {
  const message = `is wider than ${maxColumns} columns: break it`;
  return [...modules].flatMap(([file, { text }]) =>
    text.split("\n").flatMap((line, i) => (isTooWide(line) ? [{ file: `src/${file}`, line: i + 1, message }] : [])),
  );
}

/** Whether a line is too wide, and not because of one word that is: an address in a comment, say. */
function isTooWide(text: string): boolean {
  const indent = text.length - text.trimStart().length;
  return text.length > maxColumns && text.split(/\s+/).every((word) => indent + word.length < maxColumns);
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
  if (serverless.has(from)) {
    for (const [i, line] of module.text.split("\n").entries()) {
      const [name] = servers.exec(line) ?? [];
      if (name !== undefined) add(i + 1, `${from} knows no server, and names "${name}"`);
    }
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
  const target = targetOf(file, edge);
  if (target.startsWith("..")) {
    add(edge.line, `"${edge.specifier}" leaves src`);
    return;
  }
  const to = layerOf(target);
  if (to === from || includes(layer.may, from, to) || layer.may.includes(target)) return;
  const types = includes(layer.types ?? [], from, to);
  const lazy = includes(layer.lazy ?? [], from, to);
  if ((types && edge.typeOnly) || (lazy && edge.dynamic)) return;
  if (lazy) {
    add(edge.line, `${from} must load ${to} with import(), when it is first used`);
    return;
  }
  if (types) {
    add(edge.line, `${from} may import types of ${to} only: use "import type"`);
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

/** The file of `src` that a relative import names; for a package, no file at all. */
function targetOf(file: string, { specifier }: ModuleEdge): string {
  return specifier.startsWith(".") ? path.posix.join(path.posix.dirname(file), specifier) : specifier;
}

/**
 * `backends/lmdb/backend.ts` is of layer `backends/lmdb`, `backends/lmdb/definition.ts` of `definitions/lmdb`, `state/store.ts` of
 * `state`.
 */
function layerOf(file: string): string {
  const [folder = "", name = "", ...inside] = file.split("/");
  if (name === "") return ".";
  if (folder !== "backends" || inside.length === 0) return folder;
  return `${inside.length === 1 && definitionFiles.has(inside[0] ?? "") ? "definitions" : folder}/${name}`;
}

function generic(layer: string): string {
  return layer.replace(/\/.*$/, "/*");
}

function includes(allowed: readonly string[], from: string, to: string): boolean {
  if (allowed.includes(to) || allowed.includes(generic(to))) return true;
  return allowed.includes(own) && from.includes("/") && from.split("/")[1] === to.split("/")[1];
}

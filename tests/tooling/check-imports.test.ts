import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { checkImports, maxColumns, maxLines } from "../../scripts/lib/import-rules.ts";

function findingsIn(files: Record<string, string>): string[] {
  const root = mkdtempSync(path.join(tmpdir(), "holdfast-imports-"));
  try {
    for (const [file, text] of Object.entries(files)) {
      const target = path.join(root, "src", file);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, text);
    }
    return checkImports(root).map(({ file, line, message }) => `${file}:${line} ${message}`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test("the sources of this repository keep to the arrows", () => {
  assert.deepEqual(checkImports(path.resolve(import.meta.dirname, "../..")), []);
});

test("imports along the arrows are accepted", () => {
  const found = findingsIn({
    "base/errors.ts": 'import { inspect } from "node:util";\nexport const e = inspect;\n',
    "port/backend.ts": 'import type { E } from "../base/errors.ts";\nexport interface Backend { e: E }\n',
    "port/index.ts": 'export type { Backend } from "./backend.ts";\nexport type * from "./backend.ts";\n',
    "client/client.ts": 'import { e } from "../base/errors.ts";\nimport type { Backend } from "../port/index.ts";\n',
    "state/store.ts": 'import { c } from "../client/client.ts";\nimport { j } from "../codec/json.ts";\n',
    "backends/lmdb/driver.ts": 'export const load = () => import("lmdb");\n',
    "backends/lmdb/backend.ts":
      'import { load } from "./driver.ts";\nimport type { Backend } from "../../port/index.ts";\n',
    "backends/lmdb/definition.ts":
      'import type { Backend } from "../../port/index.ts";\nexport const open = () => import("./backend.ts");\n',
    "backends/list.ts": 'export { open } from "./lmdb/definition.ts";\n',
    "holdfast/registry.ts": 'export { open } from "../backends/list.ts";\n',
    "entries/lmdb.ts": 'export { s } from "../state/store.ts";\nexport { l } from "../backends/lmdb/backend.ts";\n',
    "each/handler.ts": "export const load = (file: string) => import(file);\n",
    "each/committer.ts": 'import { sendGroup } from "../state/commit.ts";\n',
    "cli/main.ts": 'import { l } from "../entries/lmdb.ts";\n',
    "testing/kit.ts": 'import { memory } from "../backends/memory/backend.ts";\n',
  });
  assert.deepEqual(found, []);
});

const refused: ReadonlyArray<[what: string, file: string, text: string, message: RegExp]> = [
  ["base reaching up", "base/a.ts", 'import { c } from "../client/c.ts";', /:1 base must not import client/],
  ["a feature using a feature", "state/a.ts", '\nexport * from "../lock/lock.ts";', /:2 state must not import lock/],
  ["each using more of a feature", "each/a.ts", 'import { s } from "../state/core.ts";', /each must not import state/],
  [
    "a feature naming a feature's type",
    "cache/a.ts",
    'import type { L } from "../lock/l.ts";',
    /cache must not import lock/,
  ],
  [
    "a feature using a backend",
    "lock/a.ts",
    'import("../backends/memory/m.ts");',
    /lock must not import backends\/memory/,
  ],
  [
    "a backend using a feature",
    "backends/null/a.ts",
    'import { s } from "../../state/s.ts";',
    /backends\/null must not import state/,
  ],
  [
    "a backend using a backend",
    "backends/null/a.ts",
    'import { s } from "../memory/s.ts";',
    /must not import backends\/memory/,
  ],
  ["a value from the port", "client/a.ts", 'import { p } from "../port/p.ts";', /may import types of port only/],
  ["a value in the port", "port/a.ts", "export type A = 1;\nexport const a = 1;", /:2 the port holds types only/],
  ["a class in the port", "port/a.ts", "export class A {}", /the port holds types only/],
  [
    "a backend beside its definition",
    "holdfast/a.ts",
    'import("../backends/null/m.ts");',
    /must not import backends\/null/,
  ],
  [
    "an eager backend",
    "backends/memory/definition.ts",
    'import { m } from "./m.ts";',
    /must load backends\/memory with import\(\)/,
  ],
  [
    "the definition of another backend",
    "backends/memory/a.ts",
    'import { d } from "../null/definition.ts";',
    /backends\/memory must not import definitions\/null/,
  ],
  ["the name of a server", "client/a.ts", "\n// As Redis does.", /:2 client knows no server, and names "Redis"/],
  [
    "an eager driver",
    "backends/lmdb/a.ts",
    'import { open } from "lmdb";',
    /driver "lmdb" must be loaded with import\(\)/,
  ],
  ["a driver's types", "backends/lmdb/a.ts", 'import type { Database } from "lmdb";', /driver "lmdb" must be loaded/],
  ["a package outside a backend", "state/a.ts", 'await import("zod");', /only a backend may load a package/],
  ["a computed import", "backends/lmdb/a.ts", "export const l = (n: string) => import(n);", /needs a plain string/],
  ["a test runner in published code", "testing/a.ts", 'import { test } from "node:test";', /must not import node:test/],
  ["the command line going inside", "cli/a.ts", 'import { s } from "../state/s.ts";', /cli must not import state/],
  ["an import without .ts", "base/a.ts", 'import { b } from "./b.js";', /names its file with \.ts/],
  ["an import that leaves src", "base/a.ts", 'import { b } from "../../scripts/b.ts";', /leaves src/],
  ["an unknown folder", "misc/a.ts", "export const a = 1;", /no known layer \("misc"\)/],
  ["a file that imports itself", "base/a.ts", 'import "./a.ts";', /in a circle: base\/a\.ts -> base\/a\.ts$/],
  ["a comment that is too wide", "base/a.ts", `// ${"wide ".repeat(24)}line`, /:1 is wider than 120 columns: break it/],
  ["a string that is too wide", "base/a.ts", `\nexport const a = "${"wide ".repeat(24)}";`, /:2 is wider than 120/],
  ["a file that is too long", "base/a.ts", "// line\n".repeat(maxLines + 1), /more than 300: split it/],
];

for (const [what, file, text, message] of refused) {
  test(`${what} is refused`, () => {
    const found = findingsIn({ [file]: text });
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", message);
  });
}

test("a file of the greatest length is accepted", () => {
  assert.deepEqual(findingsIn({ "base/a.ts": "// line\n".repeat(maxLines) }), []);
});

test("a line of the greatest width is accepted, and a wider one that is one word", () => {
  const line = `// ${"x ".repeat(maxColumns)}`.slice(0, maxColumns);
  const address = `// https://example.org/${"x".repeat(maxColumns)}`;
  assert.deepEqual(findingsIn({ "base/a.ts": `${line}\n${address}\n` }), []);
});

const circle = {
  "state/a.ts": '\nimport type { B } from "./b.ts";\nexport interface A { b: B }\n',
  "state/b.ts": 'export type { C as B } from "./c.ts";\n',
  "state/c.ts": 'export const load = () => import("./a.ts");\nexport type C = 1;\n',
};

test("a circle of imports is refused and shown, whatever kind they are", () => {
  assert.deepEqual(findingsIn(circle), [
    "src/state/a.ts:2 imports itself in a circle: state/a.ts -> state/b.ts -> state/c.ts -> state/a.ts",
  ]);
});

test("of circles that share a file, one is shown and the rest counted", () => {
  const files = {
    ...circle,
    "state/d.ts": 'import "./a.ts";\nimport "./d.ts";\n',
    "state/a.ts": 'import "./b.ts";import "./d.ts";',
  };
  assert.deepEqual(findingsIn(files), [
    "src/state/a.ts:1 imports itself in a circle: state/a.ts -> state/d.ts -> state/a.ts, and 2 files more",
  ]);
});

test("files that are reached from a circle, or reach it, are not part of it", () => {
  const files = {
    ...circle,
    "state/c.ts": 'import "./a.ts";\nimport "./e.ts";\n',
    "state/e.ts": "",
    "state/f.ts": 'import "./a.ts";',
  };
  assert.equal(findingsIn(files).length, 1);
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { checkDrivers, checkEntry, checkExports } from "../../scripts/lib/export-rules.ts";

const memory = { types: "./dist/entries/memory.d.ts", default: "./dist/entries/memory.js" };
const files = {
  "src/entries/memory.ts": "",
  "dist/entries/memory.js": "",
  "dist/entries/memory.d.ts": "",
  "dist/cli/main.js": "#!/usr/bin/env node\n",
};

function problemsOf(manifest: object, present: Record<string, string> = files): string[] {
  const root = mkdtempSync(path.join(tmpdir(), "holdfast-exports-"));
  try {
    const all = { ...present, "package.json": JSON.stringify({ bin: { holdfast: "dist/cli/main.js" }, ...manifest }) };
    for (const [file, text] of Object.entries(all)) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      writeFileSync(path.join(root, file), text);
    }
    return checkExports(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test("exports that agree with the files are accepted", () => {
  assert.deepEqual(problemsOf({ exports: { "./memory": memory, "./package.json": "./package.json" } }), []);
});

test("an entry without an export is refused", () => {
  const present = { ...files, "src/entries/lmdb.ts": "" };
  assert.deepEqual(problemsOf({ exports: { "./memory": memory } }, present), [
    "src/entries/lmdb.ts has no export in package.json",
  ]);
});

test("an export without an entry is refused, and what was not built is named", () => {
  const lmdb = { types: "./dist/entries/lmdb.d.ts", default: "./dist/entries/lmdb.js" };
  assert.deepEqual(problemsOf({ exports: { "./memory": memory, "./lmdb": lmdb } }), [
    '"./lmdb" names ./dist/entries/lmdb.d.ts, which was not built',
    '"./lmdb" names ./dist/entries/lmdb.js, which was not built',
    '"./lmdb" has no src/entries/lmdb.ts',
  ]);
});

test("types come first, and nothing but default follows", () => {
  const turned = { default: memory.default, types: memory.types };
  assert.deepEqual(problemsOf({ exports: { "./memory": turned } }), [
    '"./memory" must list types, then default, and lists default, types',
  ]);
  assert.deepEqual(problemsOf({ exports: { "./memory": { ...memory, require: memory.default } } }), [
    '"./memory" must list types, then default, and lists types, default, require',
  ]);
});

test("an export of another entry's file is refused", () => {
  const present = { ...files, "dist/entries/other.js": "" };
  assert.deepEqual(
    problemsOf({ exports: { "./memory": { ...memory, default: "./dist/entries/other.js" } } }, present),
    ['"./memory" has default ./dist/entries/other.js in place of ./dist/entries/memory.js'],
  );
});

test("a command without its first line is refused", () => {
  const present = { ...files, "dist/cli/main.js": "export {};\n" };
  assert.deepEqual(problemsOf({ exports: { "./memory": memory } }, present), [
    'bin "holdfast" must start with #!/usr/bin/env node',
  ]);
});

test("the drivers of the backends are the optional packages, in the same versions", () => {
  const toy = { name: "toy", dependency: { name: "toy-client", range: "^2.0.0" } };
  const plain = { name: "plain" };
  const root = mkdtempSync(path.join(tmpdir(), "holdfast-exports-"));
  const problems = (manifest: object): string[] => {
    writeFileSync(path.join(root, "package.json"), JSON.stringify(manifest));
    return checkDrivers(root, [toy, plain]);
  };
  try {
    const optional = { "toy-client": { optional: true } };
    assert.deepEqual(problems({ optionalDependencies: { "toy-client": "^2.0.0" } }), []);
    assert.deepEqual(problems({ peerDependencies: { "toy-client": "^2.0.0" }, peerDependenciesMeta: optional }), []);
    assert.deepEqual(problems({}), ["the driver toy-client of toy is no optional package of package.json"]);
    assert.deepEqual(problems({ peerDependencies: { "toy-client": "^1.0.0", other: "1" } }), [
      "package.json has toy-client ^1.0.0, and the definition of toy ^2.0.0",
      "other is an optional package, and the driver of no backend",
      "the peer toy-client must be optional",
      "the peer other must be optional",
    ]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("the entry of a backend exports what makes it, and its classes", () => {
  assert.deepEqual(checkEntry("toy", ["toy", "ToyStateStore", "ToyCache", "ToyLock", "other"]), []);
  assert.deepEqual(checkEntry("my-toy", ["myToyBackend", "MyToyStateStore", "MyToyCache", "MyToyLock"]), []);
  assert.deepEqual(checkEntry("toy", ["toyBackend", "ToyStateStore"]), [
    "src/entries/toy.ts does not export …Cache, …Lock",
  ]);
  assert.deepEqual(checkEntry("toy", ["ToyStore", "ToyCache"]), [
    "src/entries/toy.ts does not export what makes it, …StateStore, …Cache, …Lock",
  ]);
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { checkExports } from "../../scripts/lib/export-rules.ts";

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

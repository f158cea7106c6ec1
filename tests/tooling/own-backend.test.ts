import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/lib/run.ts";
import { readSnippets } from "../package/support/snippets.ts";

test("the page about a backend of one's own shows the files that are tested", () => {
  const page = readSnippets(readFileSync(path.join(root, "docs/your-own-backend.md"), "utf8"));
  for (const name of ["backend.ts", "conformance.test.ts"]) {
    const text = readFileSync(path.join(root, "examples/own-backend", name), "utf8");
    assert.equal(`${page.find(({ file }) => file === name)?.code}\n`, text, name);
    assert.ok(text.split("\n").length <= 151, `${name} is short`);
  }
});

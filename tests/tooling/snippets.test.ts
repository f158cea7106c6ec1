import assert from "node:assert/strict";
import { test } from "node:test";
import { joinPrograms, readSnippets } from "../package/support/snippets.ts";

const page = `
# Title

<!-- snippet: alone -->

\`\`\`ts
import { connect } from "holdfast";
const hf = connect();
\`\`\`

<!-- snippet: setup
import { connect, type Lease } from "holdfast";
interface Order { id: string }
-->

<!-- file: handler.js -->

\`\`\`js
export default 1;
\`\`\`

\`\`\`ts
import { connect, KEEP } from "holdfast";
let order: Order;
\`\`\`

\`\`\`text
not code
\`\`\`

\`\`\`sh
npm ci && npm test
\`\`\`

\`\`\`ts
order = { id: "1" };
\`\`\`
`;

test("the TypeScript of a page is one program, but for blocks that stand alone", () => {
  assert.deepEqual(readSnippets(page), [
    { line: 6, language: "ts", code: 'import { connect } from "holdfast";\nconst hf = connect();' },
    {
      line: 11,
      language: "ts",
      code:
        'import { connect, type Lease, KEEP } from "holdfast";\n' +
        'interface Order { id: string }\nlet order: Order;\norder = { id: "1" };',
    },
    { line: 18, language: "file", code: "export default 1;", file: "handler.js" },
    { line: 31, language: "sh", code: "npm ci && npm test" },
  ]);
});

test("a name imported as a type and as a value is imported as a value", () => {
  assert.equal(
    joinPrograms('import type { A, B } from "m";\n', 'import { A } from "m";\nnew A();'),
    'import { A, type B } from "m";\nnew A();',
  );
});

test("a directive that means nothing, or a block without an end, is refused", () => {
  assert.throws(
    () => readSnippets("<!-- snippet: skip -->\n```ts\n1;\n```\n"),
    /line 2: unknown directive "snippet: skip"/,
  );
  assert.throws(() => readSnippets("```ts\n1;\n"), /line 1: the block does not end/);
  assert.throws(() => readSnippets("<!-- snippet: setup\n1;\n"), /line 1: the block does not end/);
});

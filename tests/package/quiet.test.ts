import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { createConsumer, type Consumer } from "./support/consumer.ts";
import { nodeBinary, nodeVersions } from "./support/node-versions.ts";

const run = promisify(execFile);

const program = `
import { connect } from "holdfast";
const hf = await connect("sqlite:./data.db");
await hf.state("s").save("k", "kept");
process.emitWarning("of the application", "ExperimentalWarning");
console.log(await hf.state("s").load("k"));
await hf.close();
`;

describe("SQLite by Node's own driver", () => {
  let consumer: Consumer;
  before(async () => {
    consumer = await createConsumer({ optional: false });
    consumer.write("program.mjs", program);
  });
  after(() => consumer.remove());

  for (const version of nodeVersions.filter((one) => !one.startsWith("20."))) {
    it(`is loaded without a warning on Node ${version}, and keeps no other back`, async () => {
      const { stdout, stderr } = await run(await nodeBinary(version), ["program.mjs"], { cwd: consumer.folder });
      assert.equal(stdout, "kept\n");
      assert.match(stderr, /ExperimentalWarning: of the application/);
      assert.doesNotMatch(stderr, /SQLite/);
    });
  }
});

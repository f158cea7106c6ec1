import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { build, type BuildResult } from "esbuild";
import { createConsumer, type Consumer } from "./support/consumer.ts";
import { nodeBinary } from "./support/node-versions.ts";
import { succeed } from "./support/process.ts";

const program = `
import { connect } from "holdfast";
async function main() {
  const hf = await connect("memory:", { service: "s" });
  const orders = hf.state("orders");
  await hf.lock("orders").run("42", async (lease) => orders.save("42", { paid: true }, { lease }));
  console.log(JSON.stringify(await orders.load("42")));
  await hf.close();
}
void main();
`;

const onlyNull = `
import { nullBackend, NullStateStore } from "holdfast/null";
void new NullStateStore(nullBackend(), "orders", { service: "s" }).load("42").then((value) => console.log(typeof value));
`;

describe("a bundle", () => {
  let consumer: Consumer;
  before(async () => {
    consumer = await createConsumer({ optional: false });
  });
  after(() => consumer.remove());

  function bundle(name: string, text: string, format: "esm" | "cjs"): Promise<BuildResult<{ metafile: true }>> {
    return build({
      entryPoints: [consumer.write(`${name}.js`, text)],
      outfile: path.join(consumer.folder, `out/${name}.${format === "esm" ? "mjs" : "cjs"}`),
      bundle: true,
      format,
      platform: "node",
      target: "node20.19",
      external: ["lmdb"],
      metafile: true,
      logLevel: "silent",
    });
  }

  for (const format of ["esm", "cjs"] as const) {
    it(`made as ${format} runs on the lowest Node, with no package beside it`, async () => {
      const result = await bundle("program", program, format);
      assert.deepEqual(result.warnings, []);
      const file = `out/program.${format === "esm" ? "mjs" : "cjs"}`;
      const printed = await succeed(await nodeBinary("20.19.0"), [file], { cwd: consumer.folder, timeoutMs: 30_000 });
      assert.deepEqual(JSON.parse(printed), { paid: true });
    });
  }

  it("of one backend holds no other, and names no driver", async () => {
    const result = await bundle("only-null", onlyNull, "esm");
    const inputs = Object.keys(result.metafile.inputs).filter((input) => input.includes("backends/"));
    assert.ok(inputs.some((input) => input.includes("backends/null/")));
    assert.deepEqual(
      inputs.filter((input) => /backends\/(memory|lmdb)\//.test(input)),
      [],
    );
    assert.doesNotMatch(readFileSync(path.join(consumer.folder, "out/only-null.mjs"), "utf8"), /import\("lmdb"\)/);
    const node = await nodeBinary("20.19.0");
    assert.equal((await succeed(node, ["out/only-null.mjs"], { cwd: consumer.folder })).trim(), "undefined");
  });
});

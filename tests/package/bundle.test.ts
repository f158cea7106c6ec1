import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { build, type BuildResult } from "esbuild";
import { backends, type PublicBackend } from "./support/backends.ts";
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

const names = new Set(backends.map(({ name }) => name));
const drivers = backends.flatMap(({ driver }) => driver ?? []);

const only = ({ name, maker, making, store }: PublicBackend): string => `
import { ${maker}, ${store} } from "holdfast/${name}";
const orders = new ${store}(${making}, "orders", { service: "s" });
if (process.argv[2] === "load") void orders.load("42").then((value) => console.log(typeof value));
else console.log(typeof orders);
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
      external: drivers,
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

  for (const backend of backends) {
    const { name, driver, url } = backend;
    // Neither a driver that is not here nor a server.
    const loads = driver === undefined && !url.includes("//");
    it(`of ${name} alone holds no other backend, and names no other driver`, async () => {
      const result = await bundle(`only-${name}`, only(backend), "esm");
      const inputs = Object.keys(result.metafile.inputs);
      const held = inputs.flatMap((input) => /\/backends\/(\w+)\//.exec(input)?.[1] ?? []);
      // The other folders hold what several of them share.
      assert.deepEqual([...new Set(held)].filter((one) => names.has(one)).toSorted(), [name]);
      const text = readFileSync(path.join(consumer.folder, `out/only-${name}.mjs`), "utf8");
      const named = [...text.matchAll(/(?:from|import\(|require\() ?"([^"]+)"/g)].map(([, one]) => one ?? "");
      assert.deepEqual(
        named.filter((one) => drivers.includes(one)),
        driver === undefined ? [] : [driver],
      );
      const node = await nodeBinary("20.19.0");
      const ran = await succeed(node, [`out/only-${name}.mjs`, ...(loads ? ["load"] : [])], {
        cwd: consumer.folder,
      });
      assert.equal(ran.trim(), loads ? "undefined" : "object");
    });
  }
});

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { backends } from "./support/backends.ts";
import { createConsumer, publicSpecifiers, type Consumer } from "./support/consumer.ts";
import { nodeBinary, nodeVersions } from "./support/node-versions.ts";
import { succeed } from "./support/process.ts";

const names = `
const namesOf = (module) => Object.keys(module).filter((name) => name !== "__esModule" && name !== "module.exports").sort();
`;

const imports = `${names}
const result = {};
for (const specifier of ${JSON.stringify(publicSpecifiers())}) result[specifier] = namesOf(await import(specifier));
console.log(JSON.stringify(result));
`;

const requires = `${names}
const result = {};
for (const specifier of ${JSON.stringify(publicSpecifiers())}) result[specifier] = namesOf(require(specifier));
console.log(JSON.stringify(result));
`;

// One process must never hold two copies of a class, whichever way it was loaded.
const same = `
const { createRequire } = await import("node:module");
const require = createRequire(import.meta.url);
const different = [];
for (const specifier of ${JSON.stringify(publicSpecifiers())}) {
  const imported = await import(specifier);
  for (const [name, value] of Object.entries(require(specifier))) {
    if (name in imported && imported[name] !== value) different.push(specifier + " " + name);
  }
}
console.log(JSON.stringify(different));
`;

const driven = backends.filter(({ driver }) => driver !== undefined);

const withoutDriver = `
import { connect, isHoldfastError } from "holdfast";
${driven.map(({ name, maker, store }) => `import { ${maker}, ${store} } from "holdfast/${name}";`).join("\n")}
const failures = [];
const keep = (error) => failures.push({ ours: isHoldfastError(error), code: error.code, message: error.message });
${driven.map(({ url }) => `await connect(${JSON.stringify(url)}, { service: "s" }).catch(keep);`).join("\n")}
${driven.map(({ making, store }) => `await new ${store}(${making}, "orders", { service: "s" }).load("1").catch(keep);`).join("\n")}
console.log(JSON.stringify(failures));
`;

const work = `
import { Cache, connect, Holdfast, Lock, StateStore } from "holdfast";
const hf = await connect("memory:", { service: "s" });
const orders = hf.state("orders");
await orders.save("42", { paid: false });
await hf.lock("orders").run("42", async (lease) => {
  await orders.update("42", (order) => ({ ...order, paid: true }), { lease });
}, { ttl: "10s" });
const price = await hf.cache("prices", { ttl: "5m" }).getOrSet("btc", () => 7);
const are = [hf instanceof Holdfast, orders instanceof StateStore, hf.cache("c") instanceof Cache, hf.lock("l") instanceof Lock];
console.log(JSON.stringify({ order: await orders.load("42"), price, are }));
await hf.close();
`;

describe("the packed package, without lmdb and without peers", () => {
  let consumer: Consumer;
  before(async () => {
    consumer = await createConsumer({ optional: false });
    consumer.write("imports.mjs", imports);
    consumer.write("requires.cjs", requires);
    consumer.write("same.mjs", same);
    consumer.write("without-driver.mjs", withoutDriver);
    consumer.write("work.mjs", work);
  });
  after(() => consumer.remove());

  it("installs nothing but itself", () => {
    assert.ok(existsSync(path.join(consumer.folder, "node_modules/holdfast/dist/cli/main.js")));
    for (const { driver = "" } of driven) assert.ok(!existsSync(path.join(consumer.folder, "node_modules", driver)));
    assert.ok(!existsSync(path.join(consumer.folder, "node_modules/holdfast/src")));
  });

  for (const version of nodeVersions) {
    describe(`on Node ${version}`, () => {
      let node: string;
      before(async () => {
        node = await nodeBinary(version);
      });
      const run = async (file: string): Promise<unknown> =>
        JSON.parse(await succeed(node, [file], { cwd: consumer.folder, timeoutMs: 30_000 }));

      it("is the version that was asked for", async () => {
        const actual = await succeed(node, ["--version"], { cwd: consumer.folder });
        assert.ok(`${actual.trim()}.`.startsWith(`v${version}.`), actual);
      });

      it("imports and requires every subpath, with the same names", async () => {
        const imported = (await run("imports.mjs")) as Record<string, string[]>;
        assert.deepEqual(await run("requires.cjs"), imported);
        for (const [specifier, exported] of Object.entries(imported)) {
          assert.ok(exported.length > 0, `${specifier} exports nothing`);
        }
      });

      it("gives import and require the same objects", async () => {
        assert.deepEqual(await run("same.mjs"), []);
      });

      it("works on memory", async () => {
        assert.deepEqual(await run("work.mjs"), {
          order: { paid: true },
          price: 7,
          are: [true, true, true, true],
        });
      });

      it("names the install command where a driver is needed", async () => {
        const failures = (await run("without-driver.mjs")) as Array<{ ours: boolean; code: string; message: string }>;
        // Node has a driver of SQLite from 22.13 on.
        const lacking = driven.filter(({ name }) => name !== "sqlite" || version.startsWith("20."));
        assert.equal(failures.length, 2 * lacking.length);
        for (const [i, failure] of failures.entries()) {
          assert.ok(failure.ours, failure.message);
          assert.equal(failure.code, "UNSUPPORTED");
          assert.ok(failure.message.includes(`npm install ${lacking[i % lacking.length]?.driver}@`), failure.message);
        }
      });
    });
  }
});

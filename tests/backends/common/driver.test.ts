import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { loadDriver } from "../../../src/backends/common/driver.ts";
import { isHoldfastError } from "../../../src/base/errors.ts";

const absent = "absent";
/** Packages that do not load, each in its own way. */
const packages = {
  lacking: 'require("what-lacking-needs");',
  native: "process.dlopen({ exports: {} }, `${__dirname}/native.node`);",
  prebuilt: 'throw new Error("No native build was found for platform=linux arch=x64");',
  odd: 'throw new SyntaxError("Unexpected token");',
};

describe("a driver that does not load", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "holdfast-driver-"));
    for (const [name, text] of Object.entries(packages)) {
      const own = path.join(folder, "node_modules", name);
      mkdirSync(own, { recursive: true });
      writeFileSync(path.join(own, "index.js"), text);
      writeFileSync(path.join(own, "native.node"), "no library");
    }
    writeFileSync(path.join(folder, "bundle.mjs"), 'export const load = () => import("absent");');
    const inside = path.join(folder, "node_modules", "user");
    mkdirSync(inside);
    writeFileSync(path.join(inside, "index.mjs"), 'export const load = () => import("absent");');
  });
  after(() => rmSync(folder, { recursive: true }));

  async function told(name: string, load: () => Promise<unknown>): Promise<string> {
    const error: unknown = await loadDriver("toy", { name, range: "^2.1.0" }, load).then(
      () => undefined,
      (why: unknown) => why,
    );
    assert.ok(isHoldfastError(error, "UNSUPPORTED") && error.cause instanceof Error);
    assert.match(error.message, /^the toy backend needs the package .*: npm install \w+@2$/);
    return error.message;
  }

  const loadFrom = async (file: string): Promise<unknown> => {
    const { load } = (await import(pathToFileURL(path.join(folder, file)).href)) as { load(): Promise<unknown> };
    return load();
  };

  it("is not installed", async () => {
    assert.match(await told(absent, async () => loadFrom("node_modules/user/index.mjs")), /which is not installed:/);
    const require = createRequire(path.join(folder, "node_modules/user/index.mjs"));
    assert.match(await told(absent, async () => require(absent) as unknown), /which is not installed:/);
  });

  it("is not beside a bundle", async () => {
    assert.match(
      await told(absent, async () => loadFrom("bundle.mjs")),
      /not installed beside .*bundle\.mjs \(a bundler leaves it out\):/,
    );
  });

  for (const [name, why] of [
    ["lacking", /which is installed, but not what it needs \(Cannot find module 'what-lacking-needs'\):/],
    ["native", /no binary that runs here, on \w+ \w+, Node v\d.*\(.*native\.node.*\); install it there anew:/],
    ["prebuilt", /no binary that runs here.*\(No native build was found/],
    ["odd", /which is installed, but does not load \(Unexpected token\):/],
  ] as const) {
    it(`is there, and is ${name}`, async () => {
      const require = createRequire(path.join(folder, "bundle.mjs"));
      assert.match(await told(name, async () => require(name) as unknown), why);
    });
  }
});

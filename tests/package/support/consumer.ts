import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { root } from "../../../scripts/lib/run.ts";
import { succeed } from "./process.ts";

/** A project, outside of the repository, that has installed the packed package from its tarball. */
export interface Consumer {
  readonly folder: string;
  /** Writes a file, with its folders, and returns its full name. */
  write(file: string, text: string): string;
  /** Adds a package as it is installed in the repository, without what it needs. */
  add(name: string): void;
  remove(): void;
}

interface ConsumerOptions {
  /** Whether `lmdb` is installed too. */
  readonly optional: boolean;
  /** More packages, as npm names them. */
  readonly packages?: readonly string[];
  /** Whether packages run what they ask for when they are installed. Default: true. */
  readonly scripts?: boolean;
}

/** Packs what was built, and installs it into a new folder. */
export async function createConsumer(options: ConsumerOptions): Promise<Consumer> {
  assert.ok(existsSync(path.join(root, "dist/entries/index.js")), "run `npm run build` first");
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-consumer-"));
  const consumer: Consumer = {
    folder,
    write(file, text) {
      const target = path.join(folder, file);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, text);
      return target;
    },
    add(name) {
      const from = path.join(root, "node_modules", name);
      cpSync(from, path.join(folder, "node_modules", name), { recursive: true });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  try {
    consumer.write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
    await succeed("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: root });
    const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string };
    const install = ["install", "--prefix", folder, "--prefer-offline", "--no-audit", "--no-fund"];
    if (!options.optional) install.push("--omit=optional");
    if (options.scripts === false) install.push("--ignore-scripts");
    await succeed("npm", [...install, `./holdfast-${version}.tgz`, ...(options.packages ?? [])], {
      cwd: folder,
      timeoutMs: 600_000,
    });
  } catch (error) {
    consumer.remove();
    throw error;
  }
  return consumer;
}

/** The subpaths of package.json that hold code, as a consumer imports them: `holdfast`, `holdfast/memory`, … */
export function publicSpecifiers(): string[] {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { exports: object };
  return Object.keys(manifest.exports)
    .filter((subpath) => subpath !== "./package.json")
    .map((subpath) => `holdfast${subpath.slice(1)}`);
}

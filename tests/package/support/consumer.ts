import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { root } from "../../../scripts/lib/run.ts";
import { installInto, type Wanted } from "./installed.ts";

/** A project, outside of the repository, that has installed the packed package from its tarball. */
export interface Consumer {
  readonly folder: string;
  /** Writes a file, with its folders, and returns its full name. */
  write(file: string, text: string): string;
  /** Adds a package as it is installed in the repository, without what it needs. */
  add(name: string): void;
  remove(): void;
}

/** Makes a new folder with the packed package, and others, as npm has installed them. Those are shared. */
export async function createConsumer(options: Wanted): Promise<Consumer> {
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
    await installInto(folder, options);
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

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "../../../scripts/lib/run.ts";
import { succeed } from "./process.ts";

/** The lowest version that `engines` admits, and the newest of each later line. */
export const nodeVersions = ["20.19.0", "22", "24", "26"] as const;

/** A Node version as the npm package `node` names it. */
export type NodeVersion = (typeof nodeVersions)[number];

const asked = new Map<NodeVersion, Promise<string>>();

/** The `node` of that version, installed on first use and kept. */
export async function nodeBinary(version: NodeVersion): Promise<string> {
  const known = asked.get(version) ?? install(version);
  asked.set(version, known);
  return known;
}

async function install(version: NodeVersion): Promise<string> {
  const cache = path.join(root, "node_modules/.cache/holdfast-node");
  const home = path.join(cache, version);
  const binary = path.join(home, "node_modules/.bin/node");
  if (existsSync(binary)) return binary;
  const fresh = `${home}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  writeFileSync(path.join(fresh, "package.json"), JSON.stringify({ private: true, allowScripts: { node: true } }));
  try {
    const args = ["install", "--prefix", fresh, "--no-save", "--prefer-offline", "--no-audit", "--no-fund"];
    await succeed("npm", [...args, `node@${version}`], { cwd: fresh });
    try {
      renameSync(fresh, home);
    } catch (error) {
      // Another test file was first, and its copy is as good; unless an install that was broken off left it without a `node`.
      if (existsSync(binary)) return binary;
      if (!existsSync(home)) throw error;
      rmSync(home, { recursive: true, force: true });
      renameSync(fresh, home);
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return binary;
}

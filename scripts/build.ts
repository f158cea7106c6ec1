// Compiles src to dist, from nothing, so that no file of an earlier build is published.
import { chmodSync, existsSync, rmSync } from "node:fs";
import path from "node:path";
import { root, run } from "./lib/run.ts";

rmSync(path.join(root, "dist"), { recursive: true, force: true });
process.exitCode = await run("tsc", ["-p", "tsconfig.build.json"]);

const command = path.join(root, "dist/cli/main.js");
if (existsSync(command)) chmodSync(command, 0o755);

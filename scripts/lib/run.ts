import { spawn } from "node:child_process";
import path from "node:path";

/** The root of the repository. */
export const root = path.resolve(import.meta.dirname, "../..");

/**
 * Runs a command of `node_modules/.bin` or of the PATH in the root of the repository, its output going to this
 * process's own. Resolves with its exit code; a command ended by a signal counts as 1.
 */
export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const bin = path.join(root, "node_modules/.bin");
  const child = spawn(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
    env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env["PATH"] ?? ""}`, ...env },
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

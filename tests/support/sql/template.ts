import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { alone, serverCache } from "../../../scripts/lib/servers/cache.ts";
import type { ServerProgram } from "../../../scripts/lib/servers/find.ts";

const run = promisify(execFile);

/**
 * Makes a folder of data, as a server that was never used has it. It is initialised once for each version, which takes a server
 * seconds, and copied from then on; `initialise` makes it at a path where there is nothing.
 */
export async function freshData(
  { kind, version }: ServerProgram,
  target: string,
  initialise: (folder: string) => Promise<void>,
): Promise<void> {
  const template = path.join(serverCache, "data", `${kind}-${version}`);
  if (!existsSync(template)) {
    await alone(async () => {
      if (existsSync(template)) return; // another process was first
      const draft = `${template}.new`;
      rmSync(draft, { recursive: true, force: true });
      mkdirSync(path.dirname(draft), { recursive: true });
      await initialise(draft);
      renameSync(draft, template);
    });
  }
  await run("cp", ["-Rp", template, target]);
}

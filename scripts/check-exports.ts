// Fails when the exports of package.json, the entries of src, the built files and the backends disagree. Run it after a build.
import path from "node:path";
import { definitions } from "../src/backends/definitions.generated.ts";
import { checkDrivers, checkEntry, checkExports } from "./lib/export-rules.ts";
import { root } from "./lib/run.ts";

const problems = [...checkExports(root), ...checkDrivers(root, definitions)];
for (const { name } of definitions) {
  const entry = (await import(path.join(root, "src/entries", `${name}.ts`))) as object;
  problems.push(...checkEntry(name, Object.keys(entry)));
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

// Fails when the exports of package.json, the entries of src and the built files disagree. Run it after a build.
import path from "node:path";
import { checkExports } from "./lib/export-rules.ts";

const problems = checkExports(path.resolve(import.meta.dirname, ".."));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

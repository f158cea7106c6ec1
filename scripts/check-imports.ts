// Fails when an import of src goes against the architecture or in a circle, or a file has grown too long or too wide.
import path from "node:path";
import { checkImports } from "./lib/import-rules.ts";

const findings = checkImports(path.resolve(import.meta.dirname, ".."));
for (const { file, line, message } of findings) console.error(`${file}:${line} ${message}`);
if (findings.length > 0) {
  console.error(`${findings.length} finding(s)`);
  process.exitCode = 1;
}

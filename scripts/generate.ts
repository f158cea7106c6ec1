// Writes what is made of the backends' folders: the list of their definitions, and the README's table of guarantees. With --check
// it only says what is stale.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { definitionList, listDefinitions } from "./lib/definition-list.ts";
import { guaranteeTable, readColumns, withTable } from "./lib/guarantee-table.ts";
import { root } from "./lib/run.ts";

const check = process.argv.includes("--check");

function put(file: string, right: string): void {
  const at = path.join(root, file);
  if (readFileSync(at, "utf8") === right) return;
  if (check) {
    console.error(`${file} is not what the backends' folders make of it: run \`npm run generate\``);
    process.exitCode = 1;
  } else {
    writeFileSync(at, right);
    console.log(`wrote ${file}`);
  }
}

put(definitionList, await listDefinitions(root));
// Only now, for what follows reaches the backends by their URLs.
const page = readFileSync(path.join(root, "README.md"), "utf8");
put("README.md", withTable(page, guaranteeTable(await readColumns(root))));

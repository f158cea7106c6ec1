// Writes the table of guarantees into the README, from what the backends declare. With --check it only says whether it is right.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { capabilitiesOf } from "../src/backends/redis/capabilities.ts";
import { connect } from "../src/entries/index.ts";
import { guaranteeTable, withTable, type Column } from "./lib/guarantee-table.ts";
import { root } from "./lib/run.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-guarantees-"));
const columns: Column[] = [];
for (const [title, url] of [
  ["`null:`", "null:"],
  ["`memory:`", "memory:"],
  ["`file:` (LMDB)", `file:${folder}`],
] as const) {
  const hf = await connect(url);
  columns.push({ title, capabilities: hf.capabilities });
  await hf.close();
}
rmSync(folder, { recursive: true });
// What Redis promises depends on its settings, so these are those of a server that is set right.
const promises = { exclusion: "primary", durability: "disk", stamps: "atomic" } as const;
const instead = { "an acknowledged write survives": "what the server's settings say, but not every failover" };
for (const [title, topology] of [
  ["`redis://`, `redis+sentinel://`", "single"],
  ["`redis+cluster://`", "cluster"],
] as const) {
  columns.push({ title, capabilities: capabilitiesOf(topology, promises, true), instead });
}

const readme = path.join(root, "README.md");
const page = readFileSync(readme, "utf8");
const right = withTable(page, guaranteeTable(columns));
if (!process.argv.includes("--check")) writeFileSync(readme, right);
else if (right !== page) {
  console.error("the table of guarantees in README.md is not what the backends declare: run `npm run guarantees`");
  process.exitCode = 1;
}

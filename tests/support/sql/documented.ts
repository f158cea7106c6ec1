import { readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../../../scripts/lib/run.ts";
import type { SqlKind } from "./kinds.ts";

/** The page that users read first. */
export const page = readFileSync(path.join(root, "docs/sql.md"), "utf8");

/** What the page gives for JSON in columns and indexes, on a kind of server. */
export function jsonStatements(kind: SqlKind): readonly string[] {
  const all = page.match(/^(?:CREATE INDEX|ALTER TABLE) [^;]+/gm) ?? [];
  return all.filter((text) => text.includes("holdfast_json") === kind.startsWith("postgres"));
}

import path from "node:path";
import { pathToFileURL } from "node:url";
import { guarantees } from "../../src/cli/guarantees.ts";
import type { Capabilities } from "../../src/port/index.ts";
import { backendNames } from "./definition-list.ts";

/** A column: a backend by the URL that connects to it. */
export interface Column {
  readonly title: string;
  readonly capabilities: Capabilities;
  /** What depends on more than the capabilities, by the title of its row. */
  readonly instead?: Readonly<Record<string, string>>;
}

const breadth: Readonly<Record<Capabilities["shared"], number>> = { process: 0, machine: 1, network: 2 };

/** The columns of every backend, which `tests/backends/<name>/guarantees.ts` tells: those that few share come first. */
export async function readColumns(root: string): Promise<Column[]> {
  const columns: Column[] = [];
  for (const name of backendNames(root)) {
    const { href } = pathToFileURL(path.join(root, "tests/backends", name, "guarantees.ts"));
    const { columns: read } = (await import(href)) as { columns(): Promise<readonly Column[]> };
    columns.push(...(await read()));
  }
  return columns.toSorted((a, b) => breadth[a.capabilities.shared] - breadth[b.capabilities.shared]);
}

/** The table of the README, as Markdown. */
export function guaranteeTable(columns: readonly Column[]): string {
  const cells = [
    ["", ...columns.map(({ title }) => title)],
    ...guarantees.map(([title, word]) => [
      title,
      ...columns.map(({ capabilities, instead }) => instead?.[title] ?? word(capabilities)),
    ]),
  ];
  const widths = cells[0]?.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)].join("\n");
}

const start = "<!-- guarantees -->\n";
const end = "<!-- /guarantees -->";

/** `page` with its table replaced. Throws where the page has no place for it. */
export function withTable(page: string, table: string): string {
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error("the page has no <!-- guarantees --> and <!-- /guarantees -->");
  return `${page.slice(0, from)}${start}\n${table}\n\n${page.slice(to)}`;
}

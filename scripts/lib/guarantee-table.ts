import type { Capabilities } from "../../src/port/index.ts";

/** A column: a backend by the URL that connects to it. */
export interface Column {
  readonly title: string;
  readonly capabilities: Capabilities;
}

/** What each capability means to a user, in the order of the rows. */
const rows: readonly (readonly [string, (capabilities: Capabilities) => string])[] = [
  [
    "who shares the data",
    ({ shared }) =>
      ({ process: "this process", machine: "every process of this machine", network: "every machine" })[shared],
  ],
  [
    "two holders of one lock",
    ({ exclusion }) =>
      ({
        exact: "never",
        primary: "not while the primary lives",
        advisory: "possible: best effort",
        none: "yes: every lock is granted",
      })[exclusion],
  ],
  [
    "fences rise",
    ({ fence }) =>
      ({ durable: "always, for as long as the data lives", clock: "as far as clocks allow", none: "there are none" })[
        fence
      ],
  ],
  [
    "a write under a lease",
    ({ guard, exclusion }) =>
      exclusion === "none"
        ? "accepted"
        : {
            atomic: "one atomic step with the check",
            floor: "refused once a later holder touched it",
            none: "refused",
          }[guard],
  ],
  [
    "a read after an acknowledged write",
    ({ reads, exclusion }) =>
      exclusion === "none"
        ? "sees nothing"
        : { linearizable: "sees it, everywhere", primary: "sees it on the primary", eventual: "sees it later" }[reads],
  ],
  [
    "transactions",
    ({ transact, exclusion }) =>
      exclusion === "none"
        ? "accepted"
        : { full: "any keys", slot: "keys of one `{tag}`", none: "single records only" }[transact],
  ],
  [
    "an acknowledged write survives",
    ({ durability }) => ({ none: "nothing", process: "the process", disk: "the process, and a power cut" })[durability],
  ],
  ["who ends leases", ({ clock }) => ({ machine: "this machine's clock", server: "the server's clock" })[clock]],
  [
    "waiters are woken",
    ({ push, exclusion }) => (exclusion === "none" ? "nobody waits" : push ? "at once" : "by asking again"),
  ],
  [
    "changes are watched",
    ({ watch, exclusion }) =>
      exclusion === "none"
        ? "there are none"
        : { log: "all, a loss is told as a gap", lossy: "some may be missed, a gap says when", none: "no" }[watch],
  ],
  ["largest value", ({ maxValue }) => `${maxValue / 2 ** 20} MiB`],
  ["most operations in a transaction", ({ maxGroup }) => String(maxGroup)],
];

/** The table of the README, as Markdown. */
export function guaranteeTable(columns: readonly Column[]): string {
  const cells = [
    ["", ...columns.map(({ title }) => title)],
    ...rows.map(([title, word]) => [title, ...columns.map(({ capabilities }) => word(capabilities))]),
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

import { inspect } from "node:util";

import { redactUrl } from "../backends/by-url.ts";
import { definitions } from "../backends/definitions.generated.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { eachStatus, previewEach, type EachPreview, type EachStatus } from "../entries/each.ts";
import type { PreviewItem, PreviewOptions, StatusOptions } from "../entries/each.ts";
import { Exit } from "./exit.ts";
import { count } from "./words.ts";

/** `holdfast each --dry-run`: shows the first items, and stores nothing. Its exit code. */
export async function dryRun(input: string, options: PreviewOptions, json: boolean): Promise<number> {
  const preview = await previewEach(input === "-" ? process.stdin : input, options);
  if (json) say([JSON.stringify(preview, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part))]);
  else {
    const shown = preview.items.flatMap((item) => itemLines(item));
    const none = preview.items.length === 0 ? ["there are no items"] : [];
    say([
      `${input === "-" ? "standard input" : input}: ${kindOf(preview)}`,
      ...shown,
      ...none,
      "dry run: nothing was stored, no handler was called",
    ]);
  }
  return Exit.done;
}

/** `holdfast each --status`: shows a job, and changes nothing. Its exit code. */
export async function showStatus(options: StatusOptions, json: boolean): Promise<number> {
  const status = await eachStatus(options);
  if (!status) {
    const { store: url = "file:./.holdfast" } = options;
    const store = typeof url === "string" ? redactUrl(url, definitions) : url.backend;
    throw new InvalidArgumentError(`there is no such job in ${store}: see --job and --store`);
  }
  say(json ? [JSON.stringify(status)] : statusLines(status));
  return status.dead > 0 ? Exit.dead : Exit.done;
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

function kindOf({ format, compression, encoding, delimiter, columns, bytes }: EachPreview): string {
  const parts = [
    format === "csv" ? `CSV${delimiter === "," ? "" : ` parted by ${JSON.stringify(delimiter)}`}` : "JSON Lines",
    encoding,
    compression ?? "",
    count(bytes, "byte"),
    columns === undefined
      ? ""
      : `${count(columns.length, "column")}: ${columns.map((name) => JSON.stringify(name)).join(", ")}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function itemLines({ id, line, key, item, error }: PreviewItem): string[] {
  const name = `item ${id}, line ${line}`;
  if (error !== undefined) return [`${name}: a dead letter, for ${error}`];
  const text = inspect(item, { depth: 8, maxArrayLength: 20, maxStringLength: 500, breakLength: 116 });
  return [
    `${name}${key === undefined ? "" : `, key ${JSON.stringify(key)}`}`,
    ...text.split("\n").map((one) => `  ${one}`),
  ];
}

function statusLines(status: EachStatus): string[] {
  const { job, state, done, dead, waiting, part, input, format, key, partitions, finished, workers, letters } = status;
  const behind = waiting > 0 ? `, ${waiting.toLocaleString("en")} waiting behind them` : "";
  const how = [
    `${count(input.size, "byte")} of ${format}`,
    key === undefined ? "no key" : `key ${JSON.stringify(key)}`,
  ];
  const more = dead - letters.length;
  const at = `${Math.floor(part * 100)}% of the input`;
  const words = { done: "all done", dead: "all came to an end, some as dead letters", open: at }[state];
  return [
    `job ${JSON.stringify(job)}: ${words}`,
    `${count(done, "item")} done, ${count(dead, "dead letter")}${behind}`,
    `${finished} of ${count(partitions, "partition")} finished, ${count(workers, "worker")} at work`,
    `input: ${how.join(", ")}, sha256 ${input.sha256.slice(0, 16)}`,
    ...letters.map(({ id, key: own, error, attempts }) => {
      const name = own === undefined ? "" : ` (key ${JSON.stringify(own)})`;
      return `item ${id}${name} failed for good: ${error.name}: ${error.message} (${count(attempts, "attempt")})`;
    }),
    ...(more > 0 ? [`and ${count(more, "dead letter")} more: --dead-letter FILE writes all of them`] : []),
  ];
}

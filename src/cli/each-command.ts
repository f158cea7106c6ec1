import { isHoldfastError } from "../base/errors.ts";
import { startEach, type EachOptions, type EachRun, type EachSummary } from "../entries/each.ts";
import { oneOf, parse, wholeNumber } from "./args.ts";
import { dryRun, showStatus } from "./each-look.ts";
import { Exit, exitOf, messageOf, UsageError } from "./exit.ts";
import { help } from "./help.ts";
import { onInterrupt } from "./interrupt.ts";
import { ProgressScreen } from "./progress-screen.ts";
import { count, seconds } from "./words.ts";

/** `holdfast each`: its exit code. */
export async function eachCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse({
    args: [...args],
    allowPositionals: true,
    options: {
      do: { type: "string" },
      store: { type: "string" },
      job: { type: "string" },
      key: { type: "string" },
      format: { type: "string" },
      delimiter: { type: "string" },
      encoding: { type: "string" },
      "big-integers": { type: "string" },
      processes: { type: "string" },
      concurrency: { type: "string" },
      retries: { type: "string" },
      backoff: { type: "string" },
      "on-dead": { type: "string" },
      "dead-letter": { type: "string" },
      "retry-dead": { type: "boolean" },
      "store-timeout": { type: "string" },
      lease: { type: "string" },
      "item-timeout": { type: "string" },
      "dry-run": { type: "boolean" },
      status: { type: "boolean" },
      quiet: { type: "boolean", short: "q" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help("each"));
    return Exit.done;
  }
  const [input, ...others] = positionals;
  if (others.length > 0) throw new UsageError(`each takes one INPUT, got ${positionals.length}`);
  const options: EachOptions = {
    store: values.store,
    job: values.job,
    key: values.key,
    format: oneOf(values.format, "format", ["jsonl", "csv"]),
    delimiter: values.delimiter === "tab" || values.delimiter === String.raw`\t` ? "\t" : values.delimiter,
    encoding: values.encoding,
    bigIntegers: oneOf(values["big-integers"], "big-integers", ["string", "bigint"]),
    processes: wholeNumber(values.processes, "processes", 1, 256),
    concurrency: wholeNumber(values.concurrency, "concurrency", 1, 10_000),
    retries: wholeNumber(values.retries, "retries", 0, 1_000),
    backoff: values.backoff,
    onDead: oneOf(values["on-dead"], "on-dead", ["stop-key", "continue"]),
    deadLetter: values["dead-letter"],
    retryDead: values["retry-dead"],
    storeTimeout: values["store-timeout"],
    leaseTtl: values.lease,
    itemTimeout: values["item-timeout"],
    stdout: values.json ? "stderr" : undefined,
  };
  const json = values.json ?? false;
  if (values.status) {
    if (values.job === undefined && (input === undefined || input === "-" || values.do === undefined))
      throw new UsageError(
        "each --status needs --job NAME, or the INPUT file and --do HANDLER that the job has its name of",
      );
    const { store, job, storeTimeout } = options;
    return orFailed(json, () => showStatus({ store, job, storeTimeout, input, handler: values.do }, json));
  }
  if (input === undefined)
    throw new UsageError('each needs an INPUT, a file or "-" for standard input: see holdfast help each');
  if (values["dry-run"]) {
    const { key, format, delimiter, encoding, bigIntegers } = options;
    return orFailed(json, () => dryRun(input, { key, format, delimiter, encoding, bigIntegers }, json));
  }
  const handler = values.do;
  if (handler === undefined)
    throw new UsageError("each needs --do HANDLER, the module that handles an item: see holdfast help each");
  return orFailed(json, async () => {
    const run = startEach(input === "-" ? process.stdin : input, handler, options);
    const summary = await watched(run, values.quiet ?? false, json);
    report(summary, json);
    return summary.outcome === "interrupted" ? Exit.interrupted : summary.outcome === "dead" ? Exit.dead : Exit.done;
  });
}

/** The exit code of what was done, or of what it failed with, which is said. */
async function orFailed(json: boolean, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : undefined;
    if (json) process.stdout.write(`${JSON.stringify({ outcome: "failed", code, error: messageOf(error) })}\n`);
    else process.stderr.write(`holdfast: ${messageOf(error)}\n`);
    return exitOf(error);
  }
}

async function watched(run: EachRun, quiet: boolean, json: boolean): Promise<EachSummary> {
  const screen = new ProgressScreen(process.stderr, quiet || (json && !process.stderr.isTTY));
  const off = run.on((event) => screen.show(event));
  const undo = onInterrupt(run, (text) => screen.say(text));
  try {
    return await run.result;
  } finally {
    undo();
    off();
    screen.end();
  }
}

function report(summary: EachSummary, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const { outcome, done, dead, waiting, processed, durationMs, caveat } = summary;
  const behind = waiting > 0 ? `, ${waiting} waiting behind them` : "";
  const lines = [
    outcome === "interrupted" ? "interrupted: run the same command again to go on" : "",
    `${count(done, "item")} done, ${count(dead, "dead letter")}${behind}`,
    `${count(processed, "item")} in this run, ${seconds(durationMs)}, ${rate(processed, durationMs)}${extras(summary)}`,
    dead > 0 ? "holdfast each ... --retry-dead tries the dead letters again" : "",
    caveat === undefined ? "" : `note: ${caveat}`,
  ];
  process.stdout.write(`${lines.filter((line) => line !== "").join("\n")}\n`);
}

function rate(items: number, ms: number): string {
  return `${Math.round((items / Math.max(ms, 1)) * 1000).toLocaleString("en")} a second`;
}

function extras({ conflicts, fenced, restarts }: EachSummary): string {
  const parts = [
    conflicts > 0 ? `${count(conflicts, "run")} repeated after a conflict` : "",
    fenced > 0 ? `${count(fenced, "late item")} refused` : "",
    restarts > 0 ? `${count(restarts, "worker")} restarted` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

#!/usr/bin/env node
// The command. Each subcommand is loaded when it is called.
//
// - `each-command`, `demo-command`, `doctor-command` and `migrate-command` read their `args`, do their work by the
//   public API, and give an `Exit` code. `help` has what each prints of itself, `store-url` what those that take a URL
//   alone share, `words` numbers and times as people read them.
// - `each-look` shows what `each` would do, or has done; `progress-screen` shows a run of it; `interrupt` ends it at
//   the first Ctrl-C, and the process at the second.
// - `demo/`: workers that are killed and paused (`drill`, `handler`), on a `ledger`, with an `audit` and a `screen`.
// - `doctor/`: the `report` of what `examine` found, as a `page` or as JSON. `guarantees` puts capabilities into words.

import { readFileSync } from "node:fs";

import { Exit, UsageError } from "./exit.ts";
import { help } from "./help.ts";

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case "each":
      return (await import("./each-command.ts")).eachCommand(rest);
    case "demo":
      return (await import("./demo-command.ts")).demoCommand(rest);
    case "doctor":
      return (await import("./doctor-command.ts")).doctorCommand(rest);
    case "migrate":
      return (await import("./migrate-command.ts")).migrateCommand(rest);
    case "help":
    case "--help":
    case "-h":
      process.stdout.write(help(rest[0]));
      return Exit.done;
    case "--version":
    case "-v":
      process.stdout.write(`${version()}\n`);
      return Exit.done;
    case undefined:
      process.stderr.write(help(undefined));
      return Exit.usage;
    default:
      throw new UsageError(`there is no command ${JSON.stringify(command)}; known are each, demo, doctor and migrate`);
  }
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

// Output to a reader that has left, as in `holdfast help | head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`holdfast: ${error.message}\n`);
  process.exitCode = Exit.usage;
}

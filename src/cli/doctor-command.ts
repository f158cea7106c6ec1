import { isHoldfastError } from "../base/errors.ts";
import { redactUrl } from "../backends/by-url.ts";
import { definitions } from "../backends/definitions.generated.ts";
import { examine, type Examined } from "../entries/index.ts";
import { parse } from "./args.ts";
import { paintFor } from "./demo/paint.ts";
import { report } from "./doctor/report.ts";
import { page } from "./doctor/page.ts";
import { Exit, exitOf, messageOf, UsageError } from "./exit.ts";
import { help } from "./help.ts";

/** Lines are no longer than this, however wide the terminal is. */
const widest = 100;
/** Where the output is no terminal. */
const usual = 80;

/** `holdfast doctor`: its exit code. */
export async function doctorCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse({
    args: [...args],
    allowPositionals: true,
    options: {
      timeout: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help("doctor"));
    return Exit.done;
  }
  const [url, ...others] = positionals;
  if (url === undefined) throw new UsageError("doctor needs the URL of a store: see holdfast help doctor");
  if (others.length > 0) throw new UsageError(`doctor takes one URL, got ${positionals.length}`);
  const shown = redactUrl(url, definitions);
  let found: Examined;
  try {
    found = await examine(url, { timeout: values.timeout });
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : undefined;
    if (values.json) print({ url: shown, ok: false, code, error: messageOf(error) });
    else process.stderr.write(`holdfast: ${messageOf(error)}\n`);
    return exitOf(error);
  }
  if (values.json) print(report(shown, found));
  else {
    const { stdout } = process;
    const width = Math.min(widest, stdout.isTTY ? stdout.columns : usual);
    stdout.write(page(shown, found, width, paintFor(stdout)));
  }
  return found.findings.some(({ level }) => level === "wrong") ? Exit.dead : Exit.done;
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

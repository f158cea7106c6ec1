import { examine, type Examined } from "../entries/index.ts";
import { parse } from "./args.ts";
import { paintFor } from "./demo/paint.ts";
import { report } from "./doctor/report.ts";
import { page } from "./doctor/page.ts";
import { Exit } from "./exit.ts";
import { help } from "./help.ts";
import { sayFailed, sayJson, storeUrl } from "./store-url.ts";

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
  const store = storeUrl("doctor", positionals);
  const { url, shown } = store;
  let found: Examined;
  try {
    found = await examine(url, { timeout: values.timeout });
  } catch (error) {
    return sayFailed(store, error, values.json ?? false);
  }
  if (values.json) sayJson(report(shown, found));
  else {
    const { stdout } = process;
    const width = Math.min(widest, stdout.isTTY ? stdout.columns : usual);
    stdout.write(page(shown, found, width, paintFor(stdout)));
  }
  return found.findings.some(({ level }) => level === "wrong") ? Exit.dead : Exit.done;
}

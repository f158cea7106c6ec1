import { redactUrl } from "../backends/by-url.ts";
import { definitions } from "../backends/definitions.generated.ts";
import { isHoldfastError } from "../base/errors.ts";
import { migrate, type Migrated } from "../entries/index.ts";
import { parse } from "./args.ts";
import { Exit, exitOf, messageOf, UsageError } from "./exit.ts";
import { help } from "./help.ts";

/** `holdfast migrate`: its exit code. */
export async function migrateCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse({
    args: [...args],
    allowPositionals: true,
    options: {
      print: { type: "boolean" },
      timeout: { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help("migrate"));
    return Exit.done;
  }
  const [url, ...others] = positionals;
  if (url === undefined) throw new UsageError("migrate needs the URL of a store: see holdfast help migrate");
  if (others.length > 0) throw new UsageError(`migrate takes one URL, got ${positionals.length}`);
  const { print = false, json = false, timeout } = values;
  const shown = redactUrl(url, definitions);
  try {
    const { backend, statements, made } = await migrate(url, { print, timeout });
    if (json) say({ url: shown, ok: true, backend, ...(made ?? { statements }) });
    else process.stdout.write(made ? `${shown}: ${done(made)}\n` : script(statements));
    return Exit.done;
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : undefined;
    if (json) say({ url: shown, ok: false, code, error: messageOf(error) });
    else process.stderr.write(`holdfast: ${messageOf(error)}\n`);
    return exitOf(error);
  }
}

/** What was done, in a sentence. */
function done({ place, from, to, again }: NonNullable<Migrated["made"]>): string {
  if (again.length > 0) return `made again, empty, since it was dropped: ${again.join(", ")}; version ${to}, ${place}`;
  if (from === to) return `nothing to do: version ${to}, ${place}`;
  if (from > to) return `nothing to do: version ${from}, which this package can use, ${place}`;
  return from === 0 ? `made the tables: version ${to}, ${place}` : `from version ${from} to ${to}, ${place}`;
}

function script(statements: readonly string[]): string {
  return statements.map((statement) => `${statement};\n`).join("\n");
}

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

import { migrate, type Migrated } from "../entries/index.ts";
import { parse } from "./args.ts";
import { Exit } from "./exit.ts";
import { help } from "./help.ts";
import { sayFailed, sayJson, storeUrl } from "./store-url.ts";

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
  const store = storeUrl("migrate", positionals);
  const { url, shown } = store;
  const { print = false, json = false, timeout } = values;
  try {
    const { backend, statements, made } = await migrate(url, { print, timeout });
    if (json) sayJson({ url: shown, ok: true, backend, ...(made ?? { statements }) });
    else process.stdout.write(made ? `${shown}: ${done(made)}\n` : script(statements));
    return Exit.done;
  } catch (error) {
    return sayFailed(store, error, json);
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

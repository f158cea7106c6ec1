import { isHoldfastError } from "../base/errors.ts";
import { redactUrl } from "../backends/by-url.ts";
import { definitions } from "../backends/definitions.generated.ts";
import { exitOf, messageOf, UsageError } from "./exit.ts";

/** The one URL that a command takes, and as it may be shown. */
interface StoreUrl {
  readonly url: string;
  readonly shown: string;
}

/** Throws UsageError. */
export function storeUrl(command: string, positionals: readonly string[]): StoreUrl {
  const [url, ...others] = positionals;
  if (url === undefined) throw new UsageError(`${command} needs the URL of a store: see holdfast help ${command}`);
  if (others.length > 0) throw new UsageError(`${command} takes one URL, got ${positionals.length}`);
  return { url, shown: redactUrl(url, definitions) };
}

/** Says why a command failed on a store; its exit code. */
export function sayFailed({ shown }: StoreUrl, error: unknown, json: boolean): number {
  const code = isHoldfastError(error) ? error.code : undefined;
  if (json) sayJson({ url: shown, ok: false, code, error: messageOf(error) });
  else process.stderr.write(`holdfast: ${messageOf(error)}\n`);
  return exitOf(error);
}

export function sayJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

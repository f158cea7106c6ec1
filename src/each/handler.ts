import { pathToFileURL } from "node:url";

import { InvalidArgumentError } from "../base/errors.ts";
import type { Handler } from "./types.ts";

/** The default export of a module. Rejects with InvalidArgumentError where there is none, or it is no function. */
export async function loadHandler(path: string): Promise<Handler> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
  } catch (error) {
    throw new InvalidArgumentError(
      `the handler ${path} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (typeof module.default !== "function") {
    throw new InvalidArgumentError(`the handler ${path} has no default export that is a function`);
  }
  return module.default as Handler;
}

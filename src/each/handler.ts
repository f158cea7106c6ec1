import { pathToFileURL } from "node:url";

import { InvalidArgumentError } from "../base/errors.ts";
import type { Handler } from "./types.ts";

/** How long it may take to load a handler, in ms. */
const longestLoad = 120_000;

/** The default export of a module. Rejects with InvalidArgumentError where there is none, or it is no function. */
export async function loadHandler(path: string): Promise<Handler> {
  let module: { readonly default?: unknown };
  try {
    module = (await inTime(import(pathToFileURL(path).href))) as { readonly default?: unknown };
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

function inTime<T>(loading: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`it was not loaded after ${longestLoad / 1000} s: see what it awaits`);
    const timer = setTimeout(() => reject(late), longestLoad);
    loading.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

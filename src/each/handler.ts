import { existsSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

import { InvalidArgumentError } from "../base/errors.ts";
import type { Handler } from "./types.ts";

/** How long it may take to load a handler, in ms. */
const longestLoad = 120_000;

const isTypeScript = /\.[cm]?tsx?$/i;
/** Versions of Node that strip types only where they are told to. */
const stripTypes = "--experimental-strip-types";

/** Flags with which Node loads that handler: some versions run TypeScript only with one. */
export function flagsFor(path: string): readonly string[] {
  return isTypeScript.test(path) && !stripsTypes() && canStripTypes() ? [stripTypes] : [];
}

/** Throws InvalidArgumentError for a handler that cannot be loaded, as far as that is seen from outside. */
export function checkHandler(path: string): void {
  if (!existsSync(path)) throw new InvalidArgumentError(`the handler ${path} cannot be loaded: there is no such file`);
  if (!isTypeScript.test(path) || stripsTypes() || canStripTypes()) return;
  const where = `is TypeScript, which Node runs from 22.6 on, and this is ${process.version}`;
  throw new InvalidArgumentError(`the handler ${path} ${where}: use that, or ${compile(path)}`);
}

function stripsTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript);
}

function canStripTypes(): boolean {
  return process.allowedNodeEnvironmentFlags.has(stripTypes);
}

function compile(path: string): string {
  const name = basename(path);
  const made = name.replace(isTypeScript, ".mjs");
  const flags = "--bundle --packages=external --platform=node --format=esm";
  return `make JavaScript of it, as in npx esbuild ${name} ${flags} --outfile=${made}`;
}

/** The default export of a module. Rejects with InvalidArgumentError where there is none, or it is no function. */
export async function loadHandler(path: string): Promise<Handler> {
  let module: { readonly default?: unknown };
  try {
    module = (await inTime(import(pathToFileURL(path).href))) as { readonly default?: unknown };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const { code } = error as { readonly code?: unknown };
    const types = code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" || code === "ERR_UNKNOWN_FILE_EXTENSION";
    const remedy = types && isTypeScript.test(path) ? `. Node strips types and no more: ${compile(path)}` : "";
    throw new InvalidArgumentError(`the handler ${path} cannot be loaded: ${why}${remedy}`);
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

import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

import { toMs, type Duration } from "../base/durations.ts";
import { InvalidArgumentError } from "../base/errors.ts";
import { utf8Length } from "../base/keys.ts";
import type { Holdfast } from "../entries/index.ts";
import type { FormatName } from "./input/formats.ts";
import type { Input, Reading } from "./input/open.ts";
import type { EachOptions, Handler, OnDead } from "./types.ts";

/** A function, or the module that exports one by default. */
export type HandlerSource = { readonly fn: Handler } | { readonly path: string };

/** What of the settings is for workers. */
export interface WorkSettings {
  readonly concurrency: number;
  readonly retries: number;
  readonly backoffMs: number;
  readonly onDead: OnDead;
  readonly storeTimeoutMs: number;
  readonly leaseMs: number;
  readonly itemTimeoutMs: number | undefined;
}

/** {@link EachOptions}, checked, with the defaults filled in. */
export interface Settings {
  readonly input: Input;
  readonly handler: HandlerSource;
  readonly store: string | Holdfast;
  /** Undefined: made of the input's and the handler's names. */
  readonly job: string | undefined;
  readonly key: string | undefined;
  readonly reading: Reading;
  readonly processes: number;
  readonly work: WorkSettings;
  readonly deadLetter: string | undefined;
  readonly retryDead: boolean;
  readonly partitions: number;
  readonly signal: AbortSignal | undefined;
  /** Workers' standard output goes to standard error. */
  readonly quietOutput: boolean;
}

/** Longest name of a job, in bytes: it is part of a store's name. */
const longestJob = 200;
/** Where state is kept by default. */
const defaultStore = "file:./.holdfast";
/** How long one that is away is waited for. */
const defaultTimeout = "60s";

export function resolveEachOptions(input: unknown, handler: unknown, options: EachOptions = {}): Settings {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options must be an object");
  const { store = defaultStore, job, key, onDead = "stop-key", retryDead = false, signal } = options;
  const source = handlerOf(handler);
  const { from, reading } = resolveInput(input, options);
  checkStore(store);
  const processes =
    count(options.processes, "processes", 0, 256) ?? ("fn" in source ? 0 : Math.min(availableParallelism(), 4));
  if (processes > 0 && "fn" in source)
    throw new InvalidArgumentError("several processes need a handler that is a module: give its path");
  if (processes > 0 && typeof store !== "string")
    throw new InvalidArgumentError("several processes need a store that is a URL");
  if (onDead !== "stop-key" && onDead !== "continue")
    throw new InvalidArgumentError('onDead must be "stop-key" or "continue"');
  if (typeof retryDead !== "boolean") throw new InvalidArgumentError("retryDead must be true or false");
  return {
    input: from,
    handler: source,
    store,
    job: job === undefined ? undefined : checkJob(job),
    key: key === undefined ? undefined : text(key, "key"),
    reading,
    processes,
    work: {
      concurrency: count(options.concurrency, "concurrency", 1, 10_000) ?? 32,
      retries: count(options.retries, "retries", 0, 1_000) ?? 3,
      backoffMs: toMs(options.backoff ?? "1s", "backoff", { zero: true }),
      onDead,
      storeTimeoutMs: toMs(options.storeTimeout ?? defaultTimeout, "storeTimeout"),
      leaseMs: toMs(options.leaseTtl ?? "10s", "leaseTtl"),
      itemTimeoutMs: options.itemTimeout === undefined ? undefined : toMs(options.itemTimeout, "itemTimeout"),
    },
    deadLetter: options.deadLetter === undefined ? undefined : pathOf(options.deadLetter, "deadLetter"),
    retryDead,
    partitions: count(options.partitions, "partitions", 1, 4096) ?? 32,
    signal,
    quietOutput: options.stdout === "stderr",
  };
}

/** An input, and how it is to be read. Throws InvalidArgumentError. */
export function resolveInput(
  input: unknown,
  options: Pick<EachOptions, "key" | "format" | "delimiter" | "encoding" | "bigIntegers">,
): { readonly from: Input; readonly reading: Reading; readonly key: string | undefined } {
  const from = inputOf(input);
  const { key } = options;
  return { from, reading: readingOf(options, from), key: key === undefined ? undefined : text(key, "key") };
}

/** Which job is meant: by its name, or by the input and the handler that it was made with. */
export interface JobOptions {
  /** Where it is kept, as for `each`. Default: `"file:./.holdfast"`. */
  readonly store?: string | Holdfast | undefined;
  /** Its name. Default: made of the names of `input` and `handler`, as `each` does. */
  readonly job?: string | undefined;
  readonly input?: string | URL | undefined;
  readonly handler?: Handler | string | URL | undefined;
  /** How long a store that is away is waited for. Default: `"60s"`. */
  readonly storeTimeout?: Duration | undefined;
}

/** Throws InvalidArgumentError. */
export function resolveJob(options: JobOptions): {
  readonly store: string | Holdfast;
  readonly job: string;
  readonly storeTimeoutMs: number;
} {
  const { store = defaultStore, job, input, handler } = options;
  checkStore(store);
  if (job === undefined && (input === undefined || handler === undefined || input === "-"))
    throw new InvalidArgumentError("which job is meant? Give its name, or the input file and the handler");
  const name =
    job === undefined ? defaultJob({ input: inputOf(input), handler: handlerOf(handler) }, "") : checkJob(job);
  return { store, job: name, storeTimeoutMs: toMs(options.storeTimeout ?? defaultTimeout, "storeTimeout") };
}

function checkStore(store: unknown): void {
  if (typeof store !== "string" && typeof (store as Partial<Holdfast> | null)?.transact !== "function")
    throw new InvalidArgumentError("store must be a URL or what connect() gave");
}

/** The job's name where none was given: of the input and the handler, and of a stream by its content. */
export function defaultJob({ input, handler }: Pick<Settings, "input" | "handler">, sha256: string): string {
  const what = "path" in input ? basename(input.path) : `stdin ${sha256.slice(0, 16)}`;
  const how = "path" in handler ? basename(handler.path) : handler.fn.name || "handler";
  return checkJob(`${what} ${how}`.slice(0, 60));
}

function checkJob(job: unknown): string {
  const name = text(job, "job");
  const bytes = utf8Length(name);
  if (bytes < 0 || bytes > longestJob)
    throw new InvalidArgumentError(`job must be well-formed text of at most ${longestJob} bytes`);
  return name;
}

function inputOf(input: unknown): Input {
  if (typeof input === "string" || input instanceof URL) return { path: pathOf(input, "input") };
  if (typeof (input as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator] === "function") {
    return { stream: input as AsyncIterable<string | Uint8Array> };
  }
  throw new InvalidArgumentError("input must be a path, a file: URL or a readable stream");
}

function handlerOf(handler: unknown): HandlerSource {
  if (typeof handler === "function") return { fn: handler as Handler };
  if (typeof handler === "string" || handler instanceof URL) return { path: pathOf(handler, "handler") };
  throw new InvalidArgumentError("handler must be a function or the path of a module that exports one by default");
}

function readingOf(options: Parameters<typeof resolveInput>[1], input: Input): Reading {
  const { delimiter, encoding, bigIntegers } = options;
  const extension = "path" in input ? /\.(csv|tsv)(\.gz|\.zst)?$/i.exec(input.path)?.[1]?.toLowerCase() : undefined;
  const format = options.format ?? (extension === undefined ? "jsonl" : "csv");
  if (!formats.includes(format)) throw new InvalidArgumentError('format must be "jsonl" or "csv"');
  if (bigIntegers !== undefined && bigIntegers !== "string" && bigIntegers !== "bigint")
    throw new InvalidArgumentError('bigIntegers must be "string" or "bigint"');
  if (format === "csv" && bigIntegers !== undefined)
    throw new InvalidArgumentError("bigIntegers is for JSON Lines: all values of CSV are texts, and so exact");
  if (format === "jsonl" && delimiter !== undefined)
    throw new InvalidArgumentError("delimiter is for CSV: say format csv");
  if (delimiter !== undefined && !(typeof delimiter === "string" && /^[^"\r\n\0\u0080-\uFFFF]$/.test(delimiter)))
    throw new InvalidArgumentError("delimiter must be one character of ASCII, and no quote or line end");
  return {
    format,
    delimiter: delimiter ?? (extension === "tsv" && format === "csv" ? "\t" : undefined),
    encoding: encoding === undefined ? undefined : encodingNamed(encoding),
    bigIntegers,
  };
}

const formats: readonly unknown[] = ["jsonl", "csv"] satisfies FormatName[];

function encodingNamed(label: unknown): string {
  try {
    return new TextDecoder(text(label, "encoding")).encoding;
  } catch {
    const names = '"utf-8", "utf-16le", "windows-1252" or "shift_jis"';
    throw new InvalidArgumentError(`encoding must be the name of one, such as ${names}, got ${JSON.stringify(label)}`);
  }
}

function pathOf(path: unknown, what: string): string {
  if (path instanceof URL) {
    if (path.protocol !== "file:") throw new InvalidArgumentError(`${what} must be a path or a file: URL`);
    return fileURLToPath(path);
  }
  return text(path, what);
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "")
    throw new InvalidArgumentError(`${what} must be a text that is not empty`);
  return value;
}

export function count(value: unknown, what: string, least: number, most: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`${what} must be a whole number from ${least} to ${most}`);
}

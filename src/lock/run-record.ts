import { CorruptValueError } from "../base/errors.ts";
import { decodeWith, encodeWith, json } from "../codec/index.ts";
import type { StoredRecord } from "../port/index.ts";

/** What is known of the error that a run failed with. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
}

/** What is stored of the runs of one id: how the last one stands. */
export type RunRecord =
  /** It began and has not ended, or its end was not stored: its process may have died. */
  | { readonly state: "running"; readonly attempt: number; readonly token: string; readonly onCrash: "again" | "fail" }
  /** It failed; a later call runs it again. */
  | { readonly state: "failed"; readonly attempt: number; readonly token: string; readonly failure: Failure }
  /** It is done. `data` is the encoded result; absent for `undefined`. */
  | { readonly state: "done"; readonly attempt: number; readonly data?: string | undefined }
  /** It is done, and its result cannot be stored. */
  | { readonly state: "lost"; readonly attempt: number; readonly path: string; readonly message: string };

/** A record as the port carries it. */
export function writeRecord(record: RunRecord): string {
  return JSON.stringify(record);
}

/** Reads {@link writeRecord}'s text. */
export function readRecord(id: string, stored: StoredRecord | undefined): RunRecord | undefined {
  if (!stored) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(typeof stored.value === "string" ? stored.value : Buffer.from(stored.value).toString());
  } catch {
    // No cause: the message of a SyntaxError quotes the text, and an error must hold no value.
    throw corrupt(id);
  }
  const record = parsed as Partial<RunRecord> | null;
  if (typeof record?.attempt !== "number" || !states.has(record.state)) throw corrupt(id);
  return record as RunRecord;
}

const states: ReadonlySet<unknown> = new Set<RunRecord["state"]>(["running", "failed", "done", "lost"]);

function corrupt(id: string): CorruptValueError {
  return new CorruptValueError("the record of a run cannot be read", { key: id });
}

/** Encodes a result. Throws UnsupportedValueError. */
export function encodeResult(id: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return encodeWith(json, value, { key: id }) as string;
}

/** Decodes what {@link encodeResult} gave. */
export function decodeResult(id: string, data: string | undefined): unknown {
  return data === undefined ? undefined : decodeWith(json, data, { key: id });
}

const longestMessage = 1_000;

/** What is told of an error to those who waited for it. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: "the run failed with something that is no Error" };
  // Nothing keeps them from being anything at all.
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown };
  const failure: Failure = {
    name: typeof name === "string" ? name : "Error",
    message: typeof message === "string" ? message.slice(0, longestMessage) : "",
  };
  return typeof code === "string" ? { ...failure, code } : failure;
}

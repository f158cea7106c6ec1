import { CorruptValueError, isHoldfastError, type UnsupportedValueError } from "../base/errors.ts";
import { decodeWith, encodeWith, json } from "../codec/index.ts";
import type { StoredRecord } from "../port/index.ts";

/** The error that a run failed with, as far as it is stored. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
}

interface Attempted {
  readonly attempt: number;
  /** The fingerprint of the request that the id stands for: a hash, because it may be a secret. */
  readonly fingerprint?: string | undefined;
}

/** The run began and has not ended, or its end was not stored: its process may have died. */
export interface RunningRecord extends Attempted {
  readonly state: "running";
  readonly token: string;
  readonly onCrash: "again" | "fail";
}

/** The run failed. A later call runs it again. */
export interface FailedRecord extends Attempted {
  readonly state: "failed";
  readonly token: string;
  readonly failure: Failure;
  /** Set if the function has ended and the commit has failed: a later call commits this result. */
  readonly ran?: { readonly data?: string | undefined } | undefined;
}

/** The run is done. `data` is the encoded result; absent for `undefined`. */
export interface DoneRecord extends Attempted {
  readonly state: "done";
  readonly data?: string | undefined;
}

/** The run is done, and its result cannot be stored. */
export interface LostRecord extends Attempted {
  readonly state: "lost";
  readonly path: string;
  readonly message: string;
}

/** The record of an id: the state of its last run. */
export type RunRecord = RunningRecord | FailedRecord | DoneRecord | LostRecord;

/** The text of a record. */
export function writeRecord(record: RunRecord): string {
  return JSON.stringify(record);
}

/** Reads the text of a record. Throws CorruptValueError. */
export function readRecord(id: string, stored: StoredRecord | undefined): RunRecord | undefined {
  if (!stored) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(typeof stored.value === "string" ? stored.value : Buffer.from(stored.value).toString());
  } catch {
    // No cause: the message of a SyntaxError quotes the text, and an error must not hold a value.
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
function encodeResult(id: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return encodeWith(json, value, { key: id }) as string;
}

/** The result of a record that has one. */
export function decodeResult(id: string, data: string | undefined): unknown {
  return data === undefined ? undefined : decodeWith(json, data, { key: id });
}

const longestText = 1_000;

/**
 * The record of a run that has completed. A run whose result cannot be stored, or not within `maxBytes`, counts as
 * done.
 */
export function completed(id: string, attempted: Attempted, value: unknown, maxBytes: number): DoneRecord | LostRecord {
  const { attempt, fingerprint } = attempted;
  try {
    const record: DoneRecord = { state: "done", attempt, fingerprint, data: encodeResult(id, value) };
    if (Buffer.byteLength(writeRecord(record)) <= maxBytes) return record;
    return { state: "lost", attempt, fingerprint, path: "$", message: `the result is larger than ${maxBytes} bytes` };
  } catch (error) {
    // A text that is too long for a string is not an error of the codec.
    const path = isHoldfastError(error, "UNSUPPORTED_VALUE") ? cut((error as UnsupportedValueError).path) : "$";
    return { state: "lost", attempt, fingerprint, path, message: cut((error as Error).message) };
  }
}

function cut(text: string): string {
  return text.slice(0, longestText);
}

/** The part of an error that is stored for those who wait for the run. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: "the run failed with something that is no Error" };
  // They may be anything at all.
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown };
  const failure: Failure = {
    name: typeof name === "string" ? cut(name) : "Error",
    message: typeof message === "string" ? cut(message) : "",
  };
  return typeof code === "string" ? { ...failure, code: cut(code) } : failure;
}

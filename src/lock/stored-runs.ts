import { UnsupportedError, type ErrorContext } from "../base/errors.ts";
import { drawId } from "../base/ids.ts";
import type { Key } from "../base/keys.ts";
import { executeWrite, type Call } from "../client/index.ts";
import type { Capabilities, StoredRecord } from "../port/index.ts";
import type { LockHost } from "./host.ts";
import type { RunRecord } from "./run-record.ts";

/** The record of the runs of one id. `runOnce` decides by it for as long as it is there. */
export interface StoredRun {
  readonly kind: "result";
  /** The id that was given to `runOnce`. */
  readonly key: string;
  /**
   * `"done"`: the run has a result, or one that cannot be stored. `"failed"`: the next call runs it again. `"running"`:
   * it runs, or its process has died; the holder of the lock of the id tells which. Undefined for a record of an
   * earlier version.
   */
  readonly state?: "running" | "failed" | "done" | undefined;
  /** How often a run has begun. Undefined if `state` is. */
  readonly attempt?: number | undefined;
  /** When it is forgotten, in milliseconds since 1970 by the store's clock. Absent for never. */
  readonly expiresAt?: number | undefined;
}

/**
 * Separates a drawn id from the part of the version that listings read, so that they need no values. No drawn id
 * contains it.
 */
const mark = "~";

/** The version of a record of a run. */
export function drawRunVersion({ state, attempt }: RunRecord): string {
  return `${drawId()}${mark}${state === "lost" ? "done" : state}.${attempt}`;
}

/** What a record says of a run, with its value or without. */
export function storedRunOf({ key, id, expiresAt }: StoredRecord): StoredRun {
  const [, state, attempt] = /~(running|failed|done)\.(\d+)$/.exec(id) ?? [];
  return {
    kind: "result",
    key,
    ...(state && { state: state as NonNullable<StoredRun["state"]>, attempt: Number(attempt) }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/** The record of an id. */
export async function findRun(host: LockHost, key: Key, call: Call): Promise<StoredRun | undefined> {
  const reply = await host.instance.execute({ ops: [{ op: "get", key, keyOnly: true }] }, call);
  const record = reply.ok ? (reply.results[0] as StoredRecord | undefined) : undefined;
  return record && storedRunOf(record);
}

/** Removes the record of an id. Whether there was one. */
export async function forgetRun(host: LockHost, key: Key, call: Call): Promise<boolean> {
  checkRuns(await host.learn(call), { key: key.key, backend: host.instance.backend.name });
  const reply = await executeWrite(host.instance, { ops: [{ op: "delete", key }] }, call);
  return reply.ok && reply.results[0] === true;
}

/** Throws UnsupportedError if the backend has no `runOnce`. */
export function checkRuns({ guard, transact }: Capabilities, context: ErrorContext): void {
  if (guard === "atomic" && transact !== "none") return;
  throw new UnsupportedError("runOnce needs a backend that checks a lease and writes in one step", context);
}

import type { Duration } from "../base/durations.ts";
import type { Backend, BackendDefinition, Examination } from "../port/index.ts";

/** Options of `examine`. */
export interface ExamineOptions {
  /** Bounds all of it. Default: `"15s"`. */
  readonly timeout?: Duration | undefined;
  /** More backends than those of this package, for a URL: as `defineBackend` gave them. */
  readonly backends?: readonly BackendDefinition[] | undefined;
}

/** What `examine` found out. */
export interface Examined extends Examination {
  /** The backend's name, such as `"lmdb"`. */
  readonly backend: string;
}

/**
 * Finds out what a store is, what it promises as it is set now, and what is set wrong, also where `connect` refuses it for that.
 * It is what `holdfast doctor` prints. Changes nothing that anybody else sees, but for a key of its own that it deletes.
 *
 * Rejects with InvalidArgumentError or UnsupportedError as `connect` does, UnavailableError if it could not be reached in time.
 */
export async function examine(target: string | Backend, options?: ExamineOptions): Promise<Examined> {
  const { examineTarget } = await import("./examine-target.ts");
  return examineTarget(target, options);
}

import type { Backend } from "../port/index.ts";
import type { Examined, ExamineOptions } from "./examine-target.ts";

/**
 * Finds out what a store is, what it promises as it is set now, and what is set wrong, also where `connect` refuses
 * it for that. It is what `holdfast doctor` prints. Changes nothing that anybody else sees, but for a key of its own
 * that it deletes.
 *
 * Rejects with InvalidArgumentError or UnsupportedError as `connect` does, UnavailableError if it could not be
 * reached in time.
 */
export async function examine(target: string | Backend, options?: ExamineOptions): Promise<Examined> {
  const { examineTarget } = await import("./examine-target.ts");
  return examineTarget(target, options);
}

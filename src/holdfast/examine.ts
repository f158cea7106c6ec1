import type { Backend } from "../port/index.ts";
import type { Examined, ExamineOptions } from "./examine-target.ts";

/**
 * Finds out what a store is, what it promises with its present settings, and which settings are wrong, even if
 * `connect` refuses it because of them. `holdfast doctor` prints the result. Changes nothing that others see, except a
 * key of its own that it deletes.
 *
 * Rejects with InvalidArgumentError or UnsupportedError as `connect` does, and with UnavailableError if the store could
 * not be reached in time.
 */
export async function examine(target: string | Backend, options?: ExamineOptions): Promise<Examined> {
  const { examineTarget } = await import("./examine-target.ts");
  return examineTarget(target, options);
}

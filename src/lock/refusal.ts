import { LockTimeoutError, type HolderInfo } from "../base/errors.ts";
import type { Holder } from "./holder.ts";

/** The result of a quiet request for a lock that was not free in time. */
export class Refusal {
  readonly holder: Holder | undefined;
  readonly heldByThisProcess: boolean;

  constructor(holder: Holder | undefined, heldByThisProcess: boolean) {
    this.holder = holder;
    this.heldByThisProcess = heldByThisProcess;
  }
}

/** The error for a refusal. */
export function timeoutError(refusal: Refusal, key: string, waitMs: number, backend: string): LockTimeoutError {
  const { holder, heldByThisProcess } = refusal;
  const by = holder?.label === undefined ? "" : ` by ${JSON.stringify(holder.label)}`;
  const where = heldByThisProcess ? `: held${by} in this very process` : holder ? `: held${by}` : "";
  const info: HolderInfo | undefined = holder;
  const message = `the lock was not free ${waitMs === 0 ? "at once" : `within ${waitMs} ms`}${where}`;
  return new LockTimeoutError(message, { key, backend, holder: info, heldByThisProcess });
}

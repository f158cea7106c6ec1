import { readFileSync } from "node:fs";

/** Whether a process runs. One that has ended, and that nobody has waited for yet, does not. Linux only: elsewhere false. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // it is gone
  }
}

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Who a process is, as text for labels: machine, process and when it started. On Linux, where a process id means the same to
 * both, another process can tell from it that this one is gone; elsewhere its leases end with their ttl.
 */
export function identity(): string {
  return [machine() ?? `host ${hostname()}`, process.pid, startOf(process.pid) ?? ""].join("|");
}

/** Whether the process of that identity has certainly ended. */
export function isGone(label: string): boolean {
  const [where, pid, start] = label.split("|");
  if (where === undefined || where !== machine() || !start) return false;
  return startOf(Number(pid)) !== start;
}

/** Whether it is one of this machine, so that {@link isGone} can tell. */
export function isHere(label: string): boolean {
  const [where, , start] = label.split("|");
  return where !== undefined && where === machine() && Boolean(start);
}

/** This boot of this kernel, and the namespace that process ids are of. */
function machine(): string | undefined {
  return read(
    () => `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`,
  );
}

/** When a process started, in ticks since boot: tells one from a later one with the same id. */
function startOf(pid: number): string | undefined {
  // The command's name, in parentheses, may hold anything.
  const fields = read(() =>
    readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" "),
  );
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

function read<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch {
    return undefined; // no such process, or a system without /proc
  }
}

import { execFileSync } from "node:child_process";
import { uptime } from "node:os";
import { readText } from "../../base/process-tag.ts";

/** How long two boot times may differ and still be the same boot, where the system has no boot id. */
const bootTolerance = 10_000;

let offset: number | undefined;

/** Milliseconds of the clock that all processes of the machine share and nobody can set; for leases. Starts at boot. */
export function leaseNow(): number {
  offset ??= timeNamespaceOffset();
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000 + nanos / 1e6 - offset;
}

/** A container may have a monotonic clock of its own: what it adds to the machine's, in ms. */
function timeNamespaceOffset(): number {
  const line = /^monotonic\s+(-?\d+)\s+(-?\d+)/m.exec(readText("/proc/self/timens_offsets") ?? "");
  return line ? Number(line[1]) * 1_000 + Number(line[2]) / 1e6 : 0;
}

/** Names this boot of the machine: another boot's leases are over. */
export function bootId(): string {
  const linux = readText("/proc/sys/kernel/random/boot_id")?.trim();
  if (linux) return linux;
  if (process.platform === "darwin") {
    try {
      const uuid = execFileSync("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8" }).trim();
      if (uuid) return uuid;
    } catch {
      return bootTime();
    }
  }
  return bootTime();
}

function bootTime(): string {
  return `at ${Math.round(Date.now() - uptime() * 1_000)}`;
}

/** Whether two boot ids name the same boot. */
export function sameBoot(a: string, b: string): boolean {
  if (a === b) return true;
  const [first, second] = [a, b].map((id) => (id.startsWith("at ") ? Number(id.slice(3)) : Number.NaN));
  return Math.abs((first ?? Number.NaN) - (second ?? Number.NaN)) <= bootTolerance;
}

import { hostname } from "node:os";
import { isForeign, isOver, processTag, readText } from "../base/process-tag.ts";

/**
 * Who a process is, as text for labels: machine and process. On Linux, where a process id means the same to both,
 * another process can tell from it that this one is gone; elsewhere its leases end with their ttl.
 */
export function identity(): string {
  return [machine() ?? `host ${hostname()}`, processTag()].join("|");
}

/** Whether the process of that identity has certainly ended. */
export function isGone(label: string): boolean {
  const [where, tag] = label.split("|");
  return where !== undefined && where === machine() && tag !== undefined && isOver(tag);
}

/** Whether it is one of this machine, so that {@link isGone} can tell. */
export function isHere(label: string): boolean {
  const [where, tag] = label.split("|");
  return where !== undefined && where === machine() && tag !== undefined && !isForeign(tag);
}

/** This boot of this kernel. */
function machine(): string | undefined {
  return readText("/proc/sys/kernel/random/boot_id")?.trim();
}

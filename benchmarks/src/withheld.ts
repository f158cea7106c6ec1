import { readFileSync } from "node:fs";

/** Ticks of all cores since the machine started: those that the host gave to others, and all. Undefined where none tells. */
function ticks(): { readonly withheld: number; readonly all: number } | undefined {
  if (process.platform !== "linux") return undefined;
  const fields = /^cpu +(.+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]?.split(" ").map(Number) ?? [];
  // user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in user.
  const first = fields.slice(0, 8);
  return { withheld: first[7] ?? 0, all: first.reduce((sum, one) => sum + one, 0) };
}

/**
 * Begins to measure; the returned function gives the percentage of the cores' time since then that the host of a virtual machine
 * did not give it though there was work. Figures of two runs are comparable where it is next to nothing in both.
 */
export function withheld(): () => number | undefined {
  const before = ticks();
  return () => {
    const after = ticks();
    if (!before || !after || after.all === before.all) return undefined;
    return (100 * (after.withheld - before.withheld)) / (after.all - before.all);
  };
}

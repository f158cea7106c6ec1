/** Signals by which a process ends that has run out of memory of its own, or broke. */
const broken = new Set<NodeJS.Signals>(["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", "SIGBUS"]);

/** How a worker process ended, in words. */
export function fateOfChild(
  code: number | null,
  signal: NodeJS.Signals | null,
  uncaught: string | undefined,
  silentMs: number | undefined,
): string {
  if (silentMs !== undefined) return `its handler blocked the event loop for more than ${silentMs / 1000} s`;
  if (uncaught !== undefined) return `its process ended by an error that nobody caught (${uncaught})`;
  if (signal === "SIGKILL") return "its process was killed (SIGKILL), as where the machine runs out of memory";
  if (signal && broken.has(signal)) return `its process was ended by ${signal}, as where it runs out of memory`;
  if (signal) return `its process was ended by ${signal}`;
  // What a shell says of a process that was ended by a signal: 128 and more.
  return code === 134
    ? "its process ended with exit code 134, as where it runs out of memory"
    : `its process ended with exit code ${code}`;
}

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { format } from "../measure.ts";

/** What the server can do, as its own load generator sees it: one connection, 1, 64 and 1,024 commands on their way. */
export async function limit(port: number, load: readonly [string, ...string[]], scale: number): Promise<void> {
  const [program, ...before] = load;
  console.log("\nraw limit: redis-benchmark, one connection, no client in Node");
  for (const size of [200, 1_000]) {
    for (const [pipeline, requests] of [
      [1, 20_000],
      [64, 1_000_000],
      [1_024, 2_000_000],
    ] as const) {
      const settings = ["-h", "127.0.0.1", "-p", port, "-c", 1, "-P", pipeline, "-n", Math.ceil(requests * scale)];
      try {
        const { stdout } = await promisify(execFile)(
          program,
          [...before, ...settings, "-d", size, "-t", "set,get", "-r", 1_000, "--csv"].map(String),
        );
        const rates = [...stdout.matchAll(/^"(SET|GET)","([\d.]+)"/gm)].map(
          ([, command, perSecond]) => `${command} ${format(Number(perSecond))}/s`,
        );
        console.log(`  ${`${size} bytes, ${pipeline} in flight`.padEnd(44)} ${rates.join("   ")}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        console.log(`  there is no ${program} (Debian: apt-get install redis-tools): not measured`);
        return;
      }
    }
  }
}

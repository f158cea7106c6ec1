import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** Where servers that this machine does not have are unpacked, to be found again by the next run. */
export const serverCache = path.join(
  process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"),
  "holdfast",
  "test-servers",
);

/** Runs `work` while no other process has the lock of that name. A process that dies lets the next one in. */
export async function alone<T>(work: () => Promise<T>, name = "lock"): Promise<T> {
  mkdirSync(serverCache, { recursive: true });
  const lock = spawn("flock", [path.join(serverCache, name), "sh", "-c", "echo locked; exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await Promise.race([
    once(lock.stdout, "data"),
    once(lock, "error").then(([error]) => Promise.reject(error as Error)),
  ]);
  try {
    return await work();
  } finally {
    lock.stdin.end();
    await once(lock, "exit");
  }
}

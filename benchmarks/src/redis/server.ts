import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

/** A server of our own on a private port, which keeps nothing. */
export interface Server {
  readonly port: number;
  readonly url: string;
  /** As `redis-server --version` says it. */
  readonly version: string;
  stop(): Promise<void>;
}

const FIRST_PORT = 17_520;
const LAST_PORT = 17_529;

/** Starts `HOLDFAST_BENCH_SERVER`, or the `redis-server` or `valkey-server` of the PATH. */
export async function startServer(): Promise<Server> {
  const { program, version } = await findServer();
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-bench-redis-"));
  const settings = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  const child = spawn(program, settings, { stdio: "ignore" });
  // A run that dies takes its server with it.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(child, "exit");
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode} instead of listening`);
    await pause(20);
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    version,
    async stop() {
      process.off("exit", kill);
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function findServer(): Promise<{ readonly program: string; readonly version: string }> {
  const named = process.env["HOLDFAST_BENCH_SERVER"];
  const candidates = named === undefined ? ["redis-server", "valkey-server"] : [named];
  for (const program of candidates) {
    try {
      const { stdout } = await promisify(execFile)(program, ["--version"]);
      return { program, version: stdout.trim().replace(/ sha=.*/, "") };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error(
    `No ${candidates.join(" or ")} on the PATH. Install one (Debian: apt-get install redis-server), or name it in HOLDFAST_BENCH_SERVER`,
  );
}

async function freePort(): Promise<number> {
  for (let port = FIRST_PORT; port <= LAST_PORT; port++) if (!(await listens(port))) return port;
  throw new Error(`Ports ${FIRST_PORT} to ${LAST_PORT} are all taken`);
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // nobody is there, which is the answer
  } finally {
    socket.destroy();
  }
}

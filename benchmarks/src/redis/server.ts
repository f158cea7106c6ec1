import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { findServer } from "../../../tests/backends/redis/servers.ts";

/** A server of our own on a private port, which keeps nothing. */
export interface Server {
  readonly port: number;
  readonly url: string;
  /** As it says itself. */
  readonly version: string;
  /** The load generator that comes with it: a file to run, and what comes before its own arguments. */
  readonly load: Command;
  stop(): Promise<void>;
}

type Command = readonly [string, ...string[]];

const FIRST_PORT = 17_520;
const LAST_PORT = 17_529;

/** Starts `HOLDFAST_BENCH_SERVER`, or the server that the tests use: of the PATH, or fetched by `npm test`. */
export async function startServer(): Promise<Server> {
  const { command, version } = await serverToUse();
  const [file, ...before] = command;
  const port = await freePort();
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-bench-redis-"));
  const settings = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  const child = spawn(file, [...before, ...settings], { stdio: "ignore" });
  // A run that dies takes its server with it.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = once(child, "exit");
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode} instead of listening`);
    await pause(20);
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    version,
    load: command.map((part) => part.replace(/(redis|valkey)-server$/, "$1-benchmark")) as unknown as Command,
    async stop() {
      process.off("exit", kill);
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function serverToUse(): Promise<{ readonly command: Command; readonly version: string }> {
  const named = process.env["HOLDFAST_BENCH_SERVER"];
  if (named !== undefined) {
    const { stdout } = await promisify(execFile)(named, ["--version"]);
    return { command: [named], version: stdout.trim().replace(/ sha=.*/, "") };
  }
  for (const kind of ["redis", "valkey"] as const) {
    const found = findServer(kind);
    if (found) return { command: found.command, version: `${kind} ${found.version}` };
  }
  throw new Error(
    "There is no redis-server or valkey-server: install one, run `npm test`, or name it in HOLDFAST_BENCH_SERVER",
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

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import { isRunning } from "../is-running.ts";
import { until } from "./until.ts";

/**
 * The server becomes the process that this script began as, so that its id is the server's. A guard, which is nobody's child,
 * waits for a line on a pipe from the process that started it: when the pipe ends without one, that process is gone,
 * whatever ended it, and the server and its folder go too.
 */
const guarded = `
  folder="$1"; ending="$2"; shift 2
  ( ( trap '' HUP INT TERM
      read -r line <&3 && exit
      ended() { tries=100; while kill -0 $$ && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done; }
      kill "-$ending" $$
      kill -CONT $$
      ended
      kill -KILL $$ && ended
      rm -rf -- "$folder" ) </dev/null >/dev/null 2>&1 & )
  exec "$@" 3<&-`;

const folders = new Set<string>();
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** How a kind of server is stopped and ended. */
export interface Manner {
  /** What ends it for good, its children too, and leaves nothing behind in the system. Default: `KILL`. */
  readonly ending?: "KILL" | "QUIT";
  /** It has a process for each connection: they stand still and are killed with it. */
  readonly forks?: boolean;
}

/** A server that never outlives this process, and does not keep it alive. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #manner: Manner;
  readonly #log: string;
  readonly #exited: Promise<void>;

  constructor(command: readonly string[], folder: string, manner: Manner = {}) {
    folders.add(folder);
    this.#manner = manner;
    this.#log = path.join(folder, "log");
    const log = openSync(this.#log, "a");
    this.#child = spawn("sh", ["-c", guarded, "sh", folder, manner.ending ?? "KILL", ...command], {
      cwd: folder,
      stdio: ["ignore", log, log, "pipe"],
    });
    closeSync(log);
    const guard = this.#child.stdio[3] as Socket;
    guard.on("error", () => guard.destroy()); // the guard has gone with the server
    guard.unref();
    this.#child.unref();
    this.#exited = new Promise((resolve) => {
      this.#child.once("exit", () => {
        guard.end("gone\n");
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it wrote, for the error that says why it is not there. */
  get log(): string {
    return readFileSync(this.#log, "utf8");
  }

  /** Has it stand still. */
  pause(): void {
    this.#child.kill("SIGSTOP");
    this.#signalChildren("SIGSTOP");
  }

  resume(): void {
    this.#signalChildren("SIGCONT");
    this.#child.kill("SIGCONT");
  }

  /** Ends it at once, and resolves when it has ended. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.pause(); // so that it has no more children
    const children = this.#manner.forks === true ? childrenOf(this.pid) : [];
    this.#signalChildren("SIGKILL");
    await this.end("SIGKILL");
    // Whoever starts it again would find what they share still in use.
    await until("its children have ended", async () => !children.some(isRunning));
  }

  /** Ends it, and resolves when it has ended. Default: in the way that leaves nothing behind. */
  async end(signal: NodeJS.Signals = `SIG${this.#manner.ending ?? "KILL"}`): Promise<void> {
    if (!this.isRunning) return;
    this.#child.ref();
    this.#child.kill(signal);
    this.resume();
    await this.#exited;
  }

  #signalChildren(signal: NodeJS.Signals): void {
    if (this.#manner.forks !== true || !this.isRunning) return;
    for (const pid of childrenOf(this.pid)) {
      try {
        process.kill(pid, signal);
      } catch {
        // it has ended meanwhile
      }
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    return execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number);
  } catch (error) {
    if ((error as { status?: number }).status === 1) return []; // it has none
    throw error;
  }
}

/** Removes a server's folder, for good. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

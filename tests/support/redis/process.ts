import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";

/**
 * The server becomes the process that this script began as, so that its id is the server's. Beside it stays a guard, which
 * waits for a line on a pipe from the process that started it: when the pipe ends without one, that process is gone,
 * whatever ended it, and the server and its folder go too.
 */
const guarded = `
  folder="$1"; shift
  ( trap '' HUP INT TERM
    read -r line <&3 && exit
    kill -KILL $$
    rm -rf -- "$folder" ) </dev/null >/dev/null 2>&1 &
  exec "$@" 3<&-`;

const folders = new Set<string>();
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A server that never outlives this process, and does not keep it alive. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #exited: Promise<void>;

  constructor(command: readonly string[], folder: string) {
    folders.add(folder);
    this.#log = path.join(folder, "log");
    const log = openSync(this.#log, "a");
    this.#child = spawn("sh", ["-c", guarded, "sh", folder, ...command], {
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

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, and resolves when it has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    this.#child.ref();
    this.#child.kill(signal);
    await this.#exited;
  }
}

/** Removes a server's folder, for good. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

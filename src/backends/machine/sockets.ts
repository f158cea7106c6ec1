import * as fs from "node:fs";
import { createConnection } from "node:net";
import path from "node:path";
import { isForeign, isOver } from "../../base/process-tag.ts";

/** Longest path of a socket that every system takes; longer ones are cut in silence. */
export const longestSocket = 103;
/** Most bytes of a socket's name. */
export const longestName = 60;

/** The folder of sockets, by a path that is short enough for them. */
export class SocketFolder {
  readonly #folder: string;
  #handle: number | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of the socket of that name, for as long as the folder is not closed. */
  at(name: string): string {
    const plain = path.join(this.#folder, name);
    if (process.platform !== "linux" || Buffer.byteLength(plain) <= longestSocket) return plain;
    // Every container sees the same folder so, where each has temporary files of its own.
    this.#handle ??= fs.openSync(this.#folder, "r");
    return `/proc/self/fd/${this.#handle}/${name}`;
  }

  /**
   * Removes the sockets of those that are no more. The name of one on which a live process of another space of numbers
   * listens.
   */
  async clear(): Promise<string | undefined> {
    let foreigner: string | undefined;
    for (const entry of fs.readdirSync(this.#folder, { withFileTypes: true })) {
      const { name } = entry;
      if (!entry.isSocket()) continue;
      const [tag = ""] = name.split(".");
      if (!isForeign(tag)) {
        if (isOver(tag)) this.remove(name);
      } else if (await isAnswered(this.at(name))) foreigner = name;
      else this.remove(name);
    }
    return foreigner;
  }

  has(name: string): boolean {
    return fs.existsSync(this.at(name));
  }

  remove(name: string): void {
    fs.rmSync(this.at(name), { force: true });
  }

  close(): void {
    if (this.#handle !== undefined) fs.closeSync(this.#handle);
    this.#handle = undefined;
  }
}

/** Whether a process listens on the socket; only where the kernel says so does none. */
export function isAnswered(at: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(at);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "ECONNREFUSED" && code !== "ENOENT"));
  });
}

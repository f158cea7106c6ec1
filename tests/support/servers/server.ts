import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { ServerProgram } from "../../../scripts/lib/servers/find.ts";
import { removeFolder, ServerProcess, type Manner } from "./process.ts";

/** What a server needs of the kind it is. */
export interface Serving {
  /** What runs it. */
  readonly command: readonly string[];
  readonly manner?: Manner;
  /** Resolves when it serves; rejects where it does not yet. */
  readonly ping: () => Promise<unknown>;
  /** Removes what it has on disk, so that it starts with nothing. */
  readonly clear: () => void | Promise<void>;
}

/** One running server on a private port of 127.0.0.1, with a private folder. It ends with this process at the latest. */
export abstract class TestServer {
  readonly kind: string;
  /** As the program says, such as `"7.0.15"`. */
  readonly version: string;
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly folder: string;
  #serving: Serving | undefined;
  #process: ServerProcess | undefined;

  /** `parent` is where its folder is made. */
  constructor({ kind, version }: ServerProgram, port: number, parent = tmpdir()) {
    this.kind = kind;
    this.version = version;
    this.port = port;
    this.folder = mkdtempSync(path.join(parent, `holdfast-${kind}-`));
  }

  get isRunning(): boolean {
    return this.#process?.isRunning === true;
  }

  /** Starts it for the first time, and resolves when it answers. */
  protected async begin(serving: Serving): Promise<void> {
    this.#serving = serving;
    this.#process = new ServerProcess(serving.command, this.folder, serving.manner);
    await this.answers();
  }

  /** Resolves when it answers, with its data loaded. */
  async answers(): Promise<void> {
    const until = performance.now() + 30_000;
    for (;;) {
      try {
        await this.#serving?.ping();
        return;
      } catch (error) {
        if (!this.isRunning) throw new Error(`${this.kind} has ended:\n${this.#process?.log}`, { cause: error });
        if (performance.now() > until) throw new Error(`${this.kind} does not answer`, { cause: error });
      }
      await pause(10);
    }
  }

  /** Ends it at once and keeps its folder. Resolves when it has ended. */
  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** Stops it in its tracks: connections stay open and nothing is answered. */
  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  /** Ends it where it runs, and starts it on the same port: with what it had on disk, or with nothing. */
  async restart(options: { readonly keep: boolean } = { keep: true }): Promise<void> {
    const serving = this.#serving;
    if (!serving) throw new Error(`${this.kind} was never started`);
    await this.kill();
    if (!options.keep) await serving.clear();
    this.#process = new ServerProcess(serving.command, this.folder, serving.manner);
    await this.answers();
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.#process?.end();
    removeFolder(this.folder);
  }
}

/** The program of a kind, or an error that says that it is not there. */
export function present(program: ServerProgram | undefined, kind: string): ServerProgram {
  if (!program) throw new Error(`${kind} is not there: \`npm test\` fetches it where it can, and says why not`);
  return program;
}

import { setTimeout as pause } from "node:timers/promises";
import type { Message, Method, Servers } from "./client/index.ts";

const method: Method = { path: "Watch/Watch", asks: "Watch", gets: "Watched", stays: true };
/** How long one attempt to begin may take, and the pause behind one that ended, in ms. */
const patienceMs = 5_000;
const pauseMs = 100;

/** All changes in a range of keys: after a loss it goes on where it was, if the server still knows that. */
export class Watching {
  readonly #servers: Servers;
  readonly #range: Message;
  readonly #tell: (key: Buffer | undefined) => void;
  /** The revision that it goes on from; 0 is now. */
  #from = 0;
  #stopped = false;
  #leave: (() => void) | undefined;

  /** `tell` hears of keys, and of a gap as undefined. */
  constructor(servers: Servers, range: Message, tell: (key: Buffer | undefined) => void) {
    this.#servers = servers;
    this.#range = range;
    this.#tell = tell;
  }

  /** Resolves when it is live for the first time. */
  start(): Promise<void> {
    return new Promise((resolve) => void this.#run(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.#leave?.();
  }

  async #run(live: () => void): Promise<void> {
    let told = false;
    while (!this.#stopped) {
      const isNew = this.#from === 0;
      await this.#listen(() => {
        if (told && isNew) this.#tell(undefined);
        told = true;
        live();
      });
      await pause(pauseMs, undefined, { ref: false });
    }
  }

  /** Resolves when it is over. */
  #listen(live: () => void): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#leave?.();
        this.#leave = undefined;
        resolve();
      };
      const limit = { deadline: performance.now() + patienceMs };
      const message = (got: Message): void => {
        const { header, created, canceled, events = [] } = got;
        const { revision = 0 } = header as { revision?: number };
        // It knows nothing of that revision any more, or was set back: what was is lost.
        if (canceled || revision < this.#from - 1) {
          this.#from = 0;
          return end();
        }
        if (this.#from === 0) this.#from = revision + 1;
        if (created) live();
        for (const { cell } of events as { cell: { key: Buffer; revision: number } }[]) {
          this.#from = cell.revision + 1;
          this.#tell(cell.key);
        }
      };
      this.#servers
        .stream(method, { create: { ...this.#range, from: this.#from } }, limit, { message, end })
        .then((leave) => {
          this.#leave = leave;
          if (this.#stopped) end();
        }, end);
    });
  }
}

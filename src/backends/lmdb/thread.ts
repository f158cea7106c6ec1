import type { Thread } from "../machine/engine.ts";
import type { Directory } from "./directory.ts";
import type { DataFiles } from "./databases.ts";
import { Gate, guardExit } from "./gate.ts";

/** What the commit thread is started with. */
export interface ThreadData {
  readonly files: DataFiles;
  readonly domain: string;
  readonly mapSize: number;
  /** Of the gate that keeps the process from ending inside a transaction. */
  readonly gate: SharedArrayBuffer;
  /** 1 once the main thread shares the environment, or never will: until then the thread does nothing. */
  readonly shared: SharedArrayBuffer;
}

/** A commit thread that is about to be started on a directory. */
export function threadOn({ files, domain }: Directory, mapSize: number): Thread {
  const gate = new Gate();
  const shared = new SharedArrayBuffer(4);
  return {
    // The file beside this one, as source or compiled.
    file: new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url),
    data: { files, domain, mapSize, gate: gate.memory, shared } satisfies ThreadData,
    onOpened() {
      const field = new Int32Array(shared);
      Atomics.store(field, 0, 1);
      Atomics.notify(field, 0);
    },
    onEnded: guardExit(gate),
  };
}

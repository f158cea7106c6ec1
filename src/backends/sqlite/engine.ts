import type { Capabilities } from "../../port/index.ts";
import type { Engine, Place, Thread } from "../machine/engine.ts";
import { capabilities } from "../machine/promises.ts";
import { loadDriver, type Driver } from "./driver.ts";
import { speech } from "./failures.ts";
import { prepareFile } from "./file.ts";
import { sqliteNames } from "./schema.ts";
import { ReadTables } from "./read-tables.ts";
import { readsWhole } from "./tables.ts";
import { threadFile, type ThreadData } from "./thread.ts";

/** SQLite on a file. */
export class SqliteEngine implements Engine {
  readonly name = speech.name;
  readonly what = speech.what;
  readonly explain = speech.explain;
  readonly capabilities: Capabilities = capabilities;
  readonly #path: string;
  readonly #prefix: string;
  #driver: Driver | undefined;

  constructor(path: string, prefix: string) {
    this.#path = path;
    this.#prefix = prefix;
  }

  async load(): Promise<void> {
    this.#driver = await loadDriver();
  }

  prepare(): Place {
    const { path, sockets } = prepareFile(this.#path, this.#prefix);
    const prefix = this.#prefix;
    const thread = (): Thread => {
      const data: ThreadData = { path, prefix };
      return { file: threadFile, data, onOpened: () => undefined, onEnded: () => undefined };
    };
    return {
      path: `${path}?${prefix}`,
      sockets,
      // What holds the file are locks of the kernel's, so every thread and every container may have it open.
      alone: false,
      thread,
      openReadable: () => {
        const connection = (this.#driver as Driver).open(path, true);
        return new ReadTables({ connection, names: sqliteNames(prefix), isWhole: readsWhole(connection), path });
      },
    };
  }

  /** The thread itself waits for those in its way. */
  isPassing(): boolean {
    return false;
  }
}

import type { Capabilities } from "../../port/index.ts";
import type { Engine, Place } from "../machine/engine.ts";
import { capabilities } from "../machine/promises.ts";
import { openReadable } from "./databases.ts";
import { prepareDirectory } from "./directory.ts";
import { loadDriver, type LmdbModule } from "./driver.ts";
import { closedMeanwhile, speech } from "./failures.ts";
import { ReadTables } from "./tables.ts";
import { threadOn } from "./thread.ts";

/** LMDB on a directory. */
export class LmdbEngine implements Engine {
  readonly name = speech.name;
  readonly what = speech.what;
  readonly explain = speech.explain;
  readonly capabilities: Capabilities = capabilities;
  readonly isPassing = closedMeanwhile;
  readonly #path: string;
  readonly #mapSize: number;
  #driver: LmdbModule | undefined;

  constructor(path: string, mapSize: number) {
    this.#path = path;
    this.#mapSize = mapSize;
  }

  async load(): Promise<void> {
    this.#driver = await loadDriver();
  }

  prepare(): Place {
    const directory = prepareDirectory(this.#path);
    return {
      path: directory.path,
      sockets: directory.sockets,
      // The driver's locks hold numbers of processes and threads, so two spaces of numbers on one directory would take
      // each other's, and two writers of one process can block each other.
      alone: true,
      thread: () => threadOn(directory, this.#mapSize),
      openReadable: () => {
        return new ReadTables(openReadable(this.#driver as LmdbModule, directory.files, this.#mapSize));
      },
    };
  }
}

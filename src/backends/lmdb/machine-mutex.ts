import { transaction, type LmdbEnvironment, type LmdbModule } from "./driver.ts";

/**
 * A mutex of every process that has the directory open, free again when its owner dies: the write lock of an
 * environment in which nothing is ever written.
 *
 * The data file is opened under it and committed to under it, so no open falls into a commit. That is needed since
 * the driver ends each open by storing into the shared lock file the number of the last commit, as it had read it
 * from the data file a moment before, without the data file's own write lock. A commit in between would be taken
 * back: the next writer would begin from the state before it, and readers would be given a snapshot whose pages may
 * be in use again. What the driver stores for this file is always the same number, so for the mutex itself that does
 * no harm.
 */
export class MachineMutex {
  readonly #environment: LmdbEnvironment;

  /** Opens the mutex of the directory; `file` is made where it is missing. */
  constructor(driver: LmdbModule, file: string) {
    this.#environment = driver.open({
      path: file,
      noSubdir: true,
      overlappingSync: false,
      readOnly: false,
      encoding: "binary",
      maxReaders: 1,
      mapSize: 64 * 1024,
    });
  }

  /** Runs `body`, which must be synchronous, while no other process opens the data or commits. Not to be nested. */
  run<T>(body: () => T): T {
    return transaction(this.#environment, body);
  }

  close(): Promise<void> {
    return this.#environment.close();
  }
}

import path from "node:path";
import { InvalidArgumentError } from "../../base/errors.ts";
import type { Time } from "../../base/time.ts";
import type { Backend } from "../../port/index.ts";
import { MachineBackend } from "../machine/backend.ts";
import { checkPrefix, defaultPrefix } from "../sql/identifiers.ts";
import { SqliteEngine } from "./engine.ts";
import { examineFile } from "./examine.ts";

/** What {@link sqliteBackend} takes. */
export interface SqliteOptions {
  /** The file of the data. Made, with the directories above it, when it is not there. On a local disk. */
  readonly path: string;
  /** What the names of the tables begin with. Default `"holdfast_"`. */
  readonly prefix?: string | undefined;
  /** Timers and deadlines. Default: the machine's. Leases and entries always end by the machine's clocks. */
  readonly time?: Time | undefined;
}

/**
 * An embedded backend: a file of SQLite on a local disk, shared by every process of the machine, also by those in
 * containers. No I/O, and the driver is not loaded before the first call. Throws InvalidArgumentError for options that
 * cannot be.
 */
export function sqliteBackend(options: SqliteOptions): Backend {
  const { path: file, prefix = defaultPrefix, time } = options;
  if (typeof file !== "string" || file === "" || file === ":memory:" || file.includes("\0")) {
    throw new InvalidArgumentError("path must be the name of a file", { backend: "sqlite" });
  }
  const at = path.resolve(file);
  const engine = new SqliteEngine(at, checkPrefix(prefix, "sqlite"));
  return new MachineBackend(engine, time, (backend, deadline) => {
    return examineFile(backend, at, prefix, engine.capabilities, deadline);
  });
}

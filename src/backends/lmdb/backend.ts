import path from "node:path";
import { InvalidArgumentError } from "../../base/errors.ts";
import type { Time } from "../../base/time.ts";
import type { Backend } from "../../port/index.ts";
import { MachineBackend } from "../machine/backend.ts";
import { LmdbEngine } from "./engine.ts";
import { examineDirectory } from "./examine.ts";

/** What {@link lmdbBackend} takes. */
export interface LmdbOptions {
  /** The directory of the data. Made, with those above it, when it is not there. On a local disk. */
  readonly path: string;
  /** Address space set aside for the data file at first, in bytes; it grows as needed. Default 256 MiB. */
  readonly mapSize?: number | undefined;
  /** Timers and deadlines. Default: the machine's. Leases and entries always end by the machine's clocks. */
  readonly time?: Time | undefined;
}

/** The embedded backend: a directory on a local disk, shared by every process of the machine. */
export function lmdbBackend(options: LmdbOptions): Backend {
  const { path: directory, mapSize = 256 * 1024 * 1024, time } = options;
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
    throw new InvalidArgumentError("path must be the name of a directory", { backend: "lmdb" });
  }
  if (!Number.isSafeInteger(mapSize) || mapSize < 1024 * 1024) {
    throw new InvalidArgumentError("mapSize must be a whole number of bytes, at least 1 MiB", { backend: "lmdb" });
  }
  const at = path.resolve(directory);
  const engine = new LmdbEngine(at, mapSize);
  return new MachineBackend(engine, time, (backend, deadline) => {
    return examineDirectory(backend, at, engine.capabilities, deadline);
  });
}

import path from "node:path";
import { InvalidArgumentError } from "../../base/errors.ts";
import { systemTime, type Time } from "../../base/time.ts";
import type { Backend, Capabilities, Examination, Opened, Session } from "../../port/index.ts";
import { closedError } from "../common/failures.ts";
import { prepareDirectory } from "./directory.ts";
import { Environment } from "./environment.ts";
import { examineDirectory } from "./examine.ts";
import { limits, LmdbSession } from "./session.ts";

/** What {@link lmdbBackend} takes. */
export interface LmdbOptions {
  /** The directory of the data. Made, with those above it, when it is not there. On a local disk. */
  readonly path: string;
  /** Address space set aside for the data file at first, in bytes; it grows as needed. Default 256 MiB. */
  readonly mapSize?: number | undefined;
  /** Timers and deadlines. Default: the machine's. Leases and entries always end by the machine's clocks. */
  readonly time?: Time | undefined;
}

const capabilities: Capabilities = {
  exclusion: "exact",
  fence: "durable",
  guard: "atomic",
  reads: "linearizable",
  transact: "full",
  durability: "disk",
  clock: "machine",
  ttlGranularity: 1,
  maxValue: limits.maxValue,
  push: true,
  watch: "log",
  list: true,
  batchRoundTrips: 1,
  shared: "machine",
  stamps: "atomic",
  maxGroup: limits.maxGroup,
};

interface Shared {
  readonly environment: Environment;
  users: number;
}

/**
 * One environment a directory, whatever the number of backends: two writing handles of one process could block each
 * other.
 */
const environments = new Map<string, Shared>();
/** Environments on their way out, which the next one of their directory waits for. */
const closing = new Map<string, Promise<void>>();

/** The embedded backend: a directory on a local disk, shared by every process of the machine. */
export function lmdbBackend(options: LmdbOptions): Backend {
  const { path: directory, mapSize = 256 * 1024 * 1024, time = systemTime } = options;
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
    throw new InvalidArgumentError("path must be the name of a directory", { backend: "lmdb" });
  }
  if (!Number.isSafeInteger(mapSize) || mapSize < 1024 * 1024) {
    throw new InvalidArgumentError("mapSize must be a whole number of bytes, at least 1 MiB", { backend: "lmdb" });
  }
  return new LmdbBackend(path.resolve(directory), mapSize, time);
}

class LmdbBackend implements Backend {
  readonly name = "lmdb";
  readonly time: Time;
  readonly #path: string;
  readonly #mapSize: number;
  readonly #sessions = new Set<LmdbSession>();
  #shared: Shared | undefined;
  #closed = false;

  constructor(directory: string, mapSize: number, time: Time) {
    this.#path = directory;
    this.#mapSize = mapSize;
    this.time = time;
  }

  async open(): Promise<Opened> {
    const environment = this.#environment();
    try {
      await environment.open();
    } catch (error) {
      await this.#leave();
      throw error;
    }
    return { domain: environment.directory.domain, capabilities };
  }

  session(): Session {
    const session = new LmdbSession(
      () => this.#environment(),
      () => this.#shared?.environment,
      () => this.#sessions.delete(session),
    );
    this.#sessions.add(session);
    return session;
  }

  examine({ deadline }: { readonly deadline: number }): Promise<Examination> {
    return examineDirectory(this, this.#path, capabilities, deadline);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#sessions].map((session) => session.close()));
    await this.#leave();
  }

  /** The directory's environment. Throws what {@link prepareDirectory} does. */
  #environment(): Environment {
    if (this.#closed) throw closedError("lmdb");
    if (this.#shared) return this.#shared.environment;
    const directory = prepareDirectory(this.#path);
    let shared = environments.get(directory.path);
    if (!shared) {
      const environment = new Environment(directory, this.time, this.#mapSize, closing.get(directory.path));
      shared = { environment, users: 0 };
      environments.set(directory.path, shared);
    }
    shared.users++;
    this.#shared = shared;
    return shared.environment;
  }

  async #leave(): Promise<void> {
    const shared = this.#shared;
    this.#shared = undefined;
    if (!shared || --shared.users > 0) return;
    const { environment } = shared;
    const at = environment.directory.path;
    environments.delete(at);
    const end = environment.close().finally(() => {
      if (closing.get(at) === end) closing.delete(at);
    });
    closing.set(at, end);
    await end;
  }
}

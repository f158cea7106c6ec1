import { toMs, type Duration } from "../base/durations.ts";
import { UnsupportedError } from "../base/errors.ts";
import { bounded } from "../client/index.ts";
import type { Backend, BackendDefinition, TablesMade } from "../port/index.ts";
import { reach } from "./reach.ts";
import { closeOwn } from "./registry.ts";

/** Options of `migrate`. */
export interface MigrateOptions {
  /** Bounds all of it. Default: `"60s"`. */
  readonly timeout?: Duration | undefined;
  /** Only tells the statements, without I/O. Default: `false`. */
  readonly print?: boolean | undefined;
  /** More backends than those of this package, for a URL: the results of `defineBackend`. */
  readonly backends?: readonly BackendDefinition[] | undefined;
}

/** The result of `migrate`. */
export interface Migrated {
  /** The backend's name, such as `"postgres"`. */
  readonly backend: string;
  /** Every statement that makes the tables from nothing, in order. */
  readonly statements: readonly string[];
  /** What was done; undefined with `print`. */
  readonly made: TablesMade | undefined;
}

const DEFAULT_TIMEOUT = 60_000;

/** The work of `migrate`. */
export async function migrateTarget(target: string | Backend, options: MigrateOptions = {}): Promise<Migrated> {
  const timeout = options.timeout === undefined ? DEFAULT_TIMEOUT : toMs(options.timeout, "timeout");
  const reached = await reach(target, "the first argument", "all", options.backends);
  const { backend } = reached;
  const { name, tables, time } = backend;
  try {
    if (!tables) throw new UnsupportedError(`the ${name} backend has no tables to be made`, { backend: name });
    const statements = tables.statements();
    if (options.print === true) return { backend: name, statements, made: undefined };
    const deadline = time.monotonic() + timeout;
    const made = await bounded(tables.make({ deadline }), { signal: undefined, deadline }, time, name);
    return { backend: name, statements, made };
  } finally {
    await closeOwn([reached]);
  }
}

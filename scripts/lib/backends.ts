import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./run.ts";

/** A backend and, when the tests cannot run on it here, the reason. */
export interface Reach {
  readonly backend: string;
  /** The kind of server it needs, where it needs one. */
  readonly server?: string;
  /** Of its server, where it has one. */
  readonly version?: string;
  readonly missing?: string;
  /** Tested where it is there, and nothing says that it has to be: no package that the tests can fetch holds its server. */
  readonly optional?: true;
  /** The tests of faults run on its server too. */
  readonly faults?: true;
}

export interface ReachOptions {
  /** Fetches servers that are missing, where it can, and tells of it line by line. */
  readonly install?: (line: string) => void;
}

/** A backend with the folder that tests it. */
export interface FoundBackend extends Reach {
  /** Its folder in `tests/backends`. */
  readonly folder: string;
}

const folders = path.join(root, "tests/backends");
/** Names the setting by which processes learn what was found before them. */
const foundBefore = "HOLDFAST_REACHED";

/**
 * Which backends the tests can run on, on this machine: those of the folders of `tests/backends` with a `subjects.ts`. What
 * needs a server or a driver has a `reach.ts`, whose `reach(options)` says whether it is there. What {@link tellProcesses} told is
 * not looked for again, unless something may be fetched.
 */
export async function reachBackends(options: ReachOptions = {}): Promise<FoundBackend[]> {
  const before = JSON.parse(process.env[foundBefore] ?? "{}") as { folders?: string; found?: FoundBackend[] };
  if (before.folders === folders && before.found && !options.install) return before.found;
  const found: FoundBackend[] = [];
  for (const folder of readdirSync(folders).toSorted()) {
    if (!existsSync(path.join(folders, folder, "subjects.ts"))) continue;
    const { reach } = existsSync(path.join(folders, folder, "reach.ts"))
      ? await loadFrom<{ reach(options: ReachOptions): Promise<readonly Reach[]> }>(folder, "reach.ts")
      : { reach: () => Promise.resolve<Reach[]>([{ backend: folder }]) };
    found.push(...(await reach(options)).map((one) => ({ ...one, folder })));
  }
  return found;
}

/** Lets the processes that this one starts know what was found: to look takes each of them a second, and there are hundreds. */
export function tellProcesses(found: readonly FoundBackend[]): void {
  process.env[foundBefore] = JSON.stringify({ folders, found });
}

/** Loads a file of a backend's folder in `tests/backends`. */
export async function loadFrom<T>(folder: string, file: string): Promise<T> {
  return (await import(pathToFileURL(path.join(folders, folder, file)).href)) as T;
}

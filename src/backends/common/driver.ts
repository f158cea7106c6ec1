import { UnsupportedError } from "../../base/errors.ts";
import type { Dependency } from "../../port/index.ts";

/**
 * Loads a driver when it is first needed: `load` is `() => import("its-name")`. Rejects with UnsupportedError, which
 * says how to install it, where that fails.
 */
export async function loadDriver<T>(backend: string, dependency: Dependency, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const why = "which is not installed or does not run on this platform";
    throw driverMissing(backend, dependency, why, cause);
  }
}

/** For a driver that could not be loaded, or is not the one that is needed. */
export function driverMissing(backend: string, dependency: Dependency, why: string, cause?: unknown): UnsupportedError {
  const { name } = dependency;
  return new UnsupportedError(
    `the ${backend} backend needs the package ${name}, ${why}: ${installCommand(dependency)}`,
    {
      backend,
      cause,
    },
  );
}

/** How to install a driver in a version that does. */
function installCommand({ name, range }: Dependency): string {
  const [major] = /\d+/.exec(range) ?? [];
  return `npm install ${name}${major === undefined ? "" : `@${major}`}`;
}

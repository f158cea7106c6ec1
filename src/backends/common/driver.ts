import { UnsupportedError } from "../../base/errors.ts";
import type { Dependency } from "../../port/index.ts";

/** How to install a driver in a version that does. */
function installCommand({ name, range }: Dependency): string {
  const [major] = /\d+/.exec(range) ?? [];
  return `npm install ${name}${major === undefined ? "" : `@${major}`}`;
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

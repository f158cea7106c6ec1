import { UnsupportedError } from "../../base/errors.ts";
import type { Dependency } from "../../port/index.ts";

/**
 * Loads a driver when it is first needed: `load` is `() => import("its-name")`. Rejects with UnsupportedError where
 * that fails, which says why, and what to do: install it, beside the bundle too, or build it for this machine.
 */
export async function loadDriver<T>(backend: string, dependency: Dependency, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw driverMissing(backend, dependency, whyNotLoaded(dependency.name, cause), cause);
  }
}

/** What is the matter with a package that does not load, and with what else than its version. */
function whyNotLoaded(name: string, cause: unknown): string {
  const { code, message, requireStack } = cause as Partial<NodeJS.ErrnoException & { requireStack: string[] }>;
  const said = String(message ?? cause).split("\n", 1)[0] as string;
  if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") {
    const [, missing = name] = /^Cannot find (?:package|module) '([^']+)'/.exec(said) ?? [];
    if (missing !== name && !missing.startsWith(`${name}/`))
      return `which is installed, but not what it needs (${said})`;
    const importer = /imported from (.+)$/.exec(said)?.[1] ?? requireStack?.[0] ?? "";
    const isBundled = importer !== "" && !/[/\\]node_modules[/\\]/.test(importer);
    return isBundled ? `which is not installed beside ${importer} (a bundler leaves it out)` : "which is not installed";
  }
  if (code === "ERR_DLOPEN_FAILED" || /native build|NODE_MODULE_VERSION|\.node\b/.test(said)) {
    const here = `${process.platform} ${process.arch}, Node ${process.version}`;
    return `which is installed, but has no binary that runs here, on ${here} (${said}); install it there anew`;
  }
  return `which is installed, but does not load (${said})`;
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

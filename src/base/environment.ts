/**
 * The environment of this process for a thread or a process of ours: all but what would have it start with the
 * application's own start-up (`NODE_OPTIONS`). Goes with an `execArgv` of its own.
 */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => name.toUpperCase() !== "NODE_OPTIONS");
  return Object.fromEntries(entries);
}

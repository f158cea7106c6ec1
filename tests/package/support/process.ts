import { spawn } from "node:child_process";
import path from "node:path";

/** What a finished command left. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd: string;
  /** Folders that come first on the PATH. */
  readonly path?: readonly string[];
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default 120 s. */
  readonly timeoutMs?: number;
}

/** Runs a command to its end, as a user would: without the settings of the npm script and the test runner around it. */
export function execute(command: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...cleanEnvironment(options.path ?? []), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: options.timeoutMs ?? 120_000,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve({ code: code ?? 1, stdout, stderr: signal ? `${stderr}\nended by ${signal}` : stderr });
    });
  });
}

/** As `execute`, and rejects with everything it printed unless it ended with 0. Resolves with its standard output. */
export async function succeed(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await execute(command, args, options);
  if (code === 0) return stdout;
  throw new Error(`${[path.basename(command), ...args].join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
}

function cleanEnvironment(first: readonly string[]): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_package_|npm_lifecycle_|npm_config_local_prefix$|INIT_CWD$|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/.test(name),
  );
  const environment: NodeJS.ProcessEnv = Object.fromEntries(kept);
  environment["PATH"] = [...first, process.env["PATH"] ?? ""].join(path.delimiter);
  return environment;
}

// Looks at the package as it would be published: publint, attw and knip.
import { run } from "./lib/run.ts";

const checks: ReadonlyArray<[command: string, args: readonly string[]]> = [
  ["publint", ["--strict"]],
  // node16: resolution before `exports` (node10) cannot see subpaths and is not supported. cjs-resolves-to-esm: the
  // package is ESM only, and every Node that `engines` admits can `require` it, which tests/package proves.
  [
    "attw",
    [
      "--pack",
      ".",
      "--profile",
      "node16",
      "--ignore-rules",
      "cjs-resolves-to-esm",
      "--format",
      "table-flipped",
      "--no-emoji",
    ],
  ],
  ["knip", []],
];

for (const [command, args] of checks) {
  const code = await run(command, args);
  if (code !== 0) {
    console.error(`${command} failed`);
    process.exitCode = code;
  }
}

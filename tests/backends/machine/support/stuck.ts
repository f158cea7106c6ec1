import { loadDriver } from "../../../../src/backends/sqlite/driver.ts";

/* Takes the write lock of a data file and never gives it back, as a process stopped inside a commit does. */
const [, , kind, file] = process.argv as [string, string, string, string];
const forever = (): void => {
  process.send?.("in");
  for (const until = Date.now() + 60_000; Date.now() < until;);
};
if (kind === "sqlite") {
  (await loadDriver()).open(file, false).exec("BEGIN IMMEDIATE");
  forever();
} else {
  const { open } = await import("lmdb");
  open({ path: file, noSubdir: true }).transactionSync(forever);
}

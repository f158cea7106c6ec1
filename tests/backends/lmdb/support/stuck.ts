import { open } from "lmdb";

/* Takes the machine's write lock of a data file and never gives it back, as a process stopped inside a commit does. */
const root = open({ path: process.argv[2] as string, noSubdir: true });
root.transactionSync(() => {
  process.send?.("in");
  for (const until = Date.now() + 60_000; Date.now() < until;);
});

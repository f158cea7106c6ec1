import type { EachRun } from "../entries/each.ts";
import { Exit } from "./exit.ts";

/**
 * The first interrupt has a run finish what is in hand; the second ends it at once. The returned function undoes it.
 */
export function onInterrupt(run: EachRun, say: (text: string) => void): () => void {
  let asked = false;
  const interrupt = (): void => {
    if (asked) {
      run.kill();
      process.exit(Exit.interrupted);
    }
    asked = true;
    say("finishing the items in hand; interrupt again to end at once");
    run.stop();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return () => {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  };
}

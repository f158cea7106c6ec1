import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Collects garbage until `holds` does, or twenty times: what was registered is told in turns of the loop of their own. */
export async function collectUntil(holds: () => boolean): Promise<boolean> {
  for (let i = 0; i < 20; i++) {
    // What a turn has looked at through a WeakRef stays until its end.
    await pause(1);
    collect();
    await pause(1);
    if (holds()) return true;
  }
  return false;
}

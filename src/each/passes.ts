import { deadPrefix, stopPrefix, type DeadLetter, type StoppedKey } from "./layout.ts";
import { FirstPass, RetryPass, type Pass, type PassContext, type Targets } from "./pass.ts";
import type { PartitionProgress } from "./progress.ts";
import { StoppedKeys } from "./stopped.ts";

/** Stopped keys and dead letters that one round through the input is for: they are held in memory. */
const mostTargets = 2_000;

/** What is to be done next with a partition: dead letters first, if a round of retries was asked for, then the input. */
export async function nextPass(context: PassContext, progress: PartitionProgress): Promise<Pass | "finished"> {
  const { store, partition, round } = context;
  if (progress.round < round) return new RetryPass(context, progress, await findTargets(context));
  if (progress.end) return "finished";
  // To list them is a search through everything that some stores hold: only where there are any.
  const { dead, waiting } = progress.counts;
  const none = dead === 0 && waiting === 0;
  const stopped = none ? StoppedKeys.none(store, partition) : await StoppedKeys.load(store, partition);
  return new FirstPass(context, progress, stopped);
}

async function findTargets({ store, partition, round }: PassContext): Promise<Targets> {
  const keys = new Map<string, StoppedKey>();
  const ids = new Map<number, DeadLetter>();
  let complete = true;
  for await (const { value } of store.list({ prefix: stopPrefix(partition) })) {
    const stop = value as StoppedKey;
    if (stop.round >= round) continue;
    if (keys.size === mostTargets) complete = false;
    else keys.set(stop.key, stop);
  }
  for await (const { value } of store.list({ prefix: deadPrefix(partition) })) {
    const letter = value as DeadLetter;
    if (letter.round >= round || letter.stopped) continue;
    if (ids.size === mostTargets) complete = false;
    else ids.set(letter.id, letter);
  }
  return { keys, ids, complete };
}

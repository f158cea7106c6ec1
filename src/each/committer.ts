import type { Capabilities, Holdfast, Lease } from "../entries/index.ts";
import { sendGroup, type SentGroup, type Step } from "../state/commit.ts";

/** Writes groups of records, all or nothing, under a lease. */
export interface Committer {
  /** Most records of a group. */
  readonly maxSteps: number;
  /** Sends a group; once `after` has resolved, if that is given. */
  send(steps: readonly Step[], lease: Lease, after?: Promise<unknown>): SentGroup;
  /**
   * Where the store keeps records in several places, so that an item cannot commit together with its progress: sends a
   * group of records of one tag. What must be so is decided by their versions alone.
   */
  readonly sendApart?: ((steps: readonly Step[], lease: Lease) => SentGroup) | undefined;
}

/** Most records of a group, whatever the store takes: it is held up for so long. */
const mostSteps = 2048;

/** How items commit on this store; `keyed`: they have keys. */
export function committerFor(hf: Holdfast, keyed: boolean): Committer {
  const { capabilities } = hf;
  const way = wayOf(capabilities, keyed);
  if (way !== "loosely") {
    return {
      // The check of the lease counts as well, where a store takes few.
      maxSteps: Math.min(capabilities.maxGroup - 1, mostSteps),
      send: (steps, lease, after) => sendGroup(steps, lease, { after }),
      ...(way === "apart" && { sendApart: (steps, lease) => sendGroup(steps, lease, { guarded: false }) }),
    };
  }
  const guarded = capabilities.guard !== "none";
  return { maxSteps: mostSteps, send: (steps, lease) => sendLoosely(steps, guarded ? lease : undefined) };
}

/** What the store leaves open, in words; undefined where commits are exactly once. */
export function caveatOf(capabilities: Capabilities, backend: string, keyed: boolean): string | undefined {
  if (wayOf(capabilities, keyed) !== "loosely") return undefined;
  const remedy = wayOf(capabilities, true) === "apart" ? ". With a key field they commit exactly once" : "";
  return (
    `${backend} cannot commit an item's writes together with its progress: items are handled at least once, ` +
    `and after a crash or between workers a write may be repeated or overwrite another${remedy}`
  );
}

/**
 * `together`: an item's writes and its progress are one group. `apart`: its writes are one group with a mark that it is
 * done, beside them, and its progress follows. `loosely`: nothing is atomic.
 */
function wayOf({ transact, guard, exclusion }: Capabilities, keyed: boolean): "together" | "apart" | "loosely" {
  if (guard !== "atomic" || exclusion === "none" || transact === "none") return "loosely";
  if (transact === "full") return "together";
  return keyed ? "apart" : "loosely";
}

/**
 * Writes first, progress after them: what a crash leaves is done again. Nothing is checked, nothing is known
 * afterwards.
 */
function sendLoosely(steps: readonly Step[], lease: Lease | undefined): SentGroup {
  const [progress, ...rest] = steps;
  const write = async ({ store, key, write: what }: Step): Promise<void> => {
    if (what === "delete") await store.delete(key);
    else if (what) await store.save(key, what.value, typeof what.ttl === "number" ? { ttl: what.ttl } : {});
  };
  const run = async (): Promise<void> => {
    await Promise.all(rest.map(write));
    if (!progress || progress.write === undefined || progress.write === "delete") return;
    await progress.store.save(progress.key, progress.write.value, lease ? { lease } : {});
  };
  return { versions: steps.map(() => undefined), done: run() };
}

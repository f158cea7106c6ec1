import type { Capabilities, Holdfast, Lease } from "../entries/index.ts";
import type { Change, Committer, Sent } from "./commit.ts";

/** Most records of a group, whatever the store takes: it is held up for so long. */
const mostChanges = 2048;

/** How items commit on this store; `keyed`: they have keys. */
export function committerFor(hf: Holdfast, keyed: boolean): Committer {
  const { capabilities } = hf;
  const way = wayOf(capabilities, keyed);
  if (way !== "loosely") {
    return {
      // The check of the lease counts as well, where a store takes few.
      maxChanges: Math.min(capabilities.maxGroup - 1, mostChanges),
      send: (changes, lease, after) => hf.sendGroup(changes, lease, { after }),
      ...(way === "apart" && { sendApart: (changes, lease) => hf.sendGroup(changes, lease, { guarded: false }) }),
    };
  }
  const guarded = capabilities.guard !== "none";
  return { maxChanges: mostChanges, send: (changes, lease) => sendLoosely(changes, guarded ? lease : undefined) };
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
 * `together`: an item's writes and its progress are one group. `apart`: its writes are one group with a mark that it is done,
 * beside them, and its progress follows. `loosely`: nothing is atomic.
 */
function wayOf({ transact, guard, exclusion }: Capabilities, keyed: boolean): "together" | "apart" | "loosely" {
  if (guard !== "atomic" || exclusion === "none" || transact === "none") return "loosely";
  if (transact === "full") return "together";
  return keyed ? "apart" : "loosely";
}

/** Writes first, progress after them: what a crash leaves is done again. Nothing is checked, nothing is known afterwards. */
function sendLoosely(changes: readonly Change[], lease: Lease | undefined): Sent {
  const [progress, ...rest] = changes;
  const write = async ({ store, key, write: what }: Change): Promise<void> => {
    if (what === "delete") await store.delete(key);
    else if (what) await store.save(key, what.value, typeof what.ttl === "number" ? { ttl: what.ttl } : {});
  };
  const run = async (): Promise<void> => {
    await Promise.all(rest.map(write));
    if (!progress || progress.write === undefined || progress.write === "delete") return;
    await progress.store.save(progress.key, progress.write.value, lease ? { lease } : {});
  };
  return { versions: changes.map(() => undefined), done: run() };
}

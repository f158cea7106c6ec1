import { isGone, isHere } from "./identity.ts";
import type { Hold, Losses, PartitionProgress, Suspect } from "./progress.ts";

/** Suspects of a partition that are named; where more would be, all of them start anew. */
const mostSuspects = 256;

/** What is known of how a worker was lost. */
export interface Finding {
  /** What it was running it ran alone, in another partition. */
  readonly elsewhere: boolean;
  /** In words: what became of it while it ran an item alone. */
  readonly why: string;
}

/** What follows from a hold that was left by a worker that was lost. */
export function judge({ hold, lost = 0, suspects = [] }: PartitionProgress, { elsewhere, why }: Finding): Losses {
  if (!hold) return losses(lost, suspects);
  const { hand, alone } = hold;
  if (!hand) return losses(elsewhere ? lost : lost + 1, suspects);
  const all = new Map(suspects.map((suspect) => [suspect.id, suspect]));
  for (let i = 0; i < hand.length; i += 2) {
    const id = hand[i] as number;
    const before = all.get(id) ?? { alone: 0 };
    const attempts = hand[i + 1] as number;
    all.set(id, alone ? { id, attempts, alone: before.alone + 1, why } : { ...before, id, attempts });
  }
  return all.size > mostSuspects ? losses(lost + 1, []) : losses(lost, [...all.values()]);
}

/** Progress with these losses and this hold, in place of what it had. */
export function withLosses(progress: PartitionProgress, found: Losses, hold?: Hold): PartitionProgress {
  const { next, above, end, counts, round } = progress;
  return { next, above, end, counts, round, ...found, ...(hold && { hold }) };
}

/** Losses as they are stored: nothing where there are none. */
export function losses(lost: number, suspects: readonly Suspect[]): Losses {
  return { ...(lost > 0 && { lost }), ...(suspects.length > 0 && { suspects }) };
}

/**
 * Whether nobody else can have been it: as often as an item may fail, and at least twice, since a worker may be killed
 * from outside, or by what an earlier item has left behind.
 */
export function isConvicted({ alone }: Suspect, retries: number): boolean {
  return alone > Math.max(retries, 1);
}

/** What became of a process, as far as another one can see, or as it knows of itself. */
export function fateOf(
  { who }: Hold,
  leaseMs: number,
  own: boolean,
): { readonly ended: boolean; readonly text: string } {
  if (isGone(who)) return { ended: true, text: "its process ended" };
  if (own || isHere(who)) {
    const lease = `the lease (${leaseMs / 1000} s)`;
    const text = `its handler blocked the event loop, or its process was paused, for longer than ${lease}`;
    return { ended: false, text };
  }
  return { ended: false, text: "its worker was lost: its process ended or stood still, or its machine was cut off" };
}

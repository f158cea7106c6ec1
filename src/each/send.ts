import { isHoldfastError, type ErrorCode } from "../base/errors.ts";
import { tagOf } from "../base/tags.ts";
import type { Step } from "../state/commit.ts";
import type { Commit, Touch } from "./commit.ts";
import type { Committer } from "./committer.ts";
import type { DoneMarks, MarkStep } from "./done-marks.ts";
import type { PartitionRecord, Saved } from "./partition-record.ts";
import type { PartitionProgress } from "./progress.ts";
import type { CachedRecord, Records } from "./records.ts";

/** What decides how a commit goes on, of several failures of its groups. */
const gravest: readonly ErrorCode[] = ["FENCED", "INDETERMINATE", "UNAVAILABLE"];

/** Where commits go. */
export interface Destination {
  readonly record: Pick<PartitionRecord, "lease" | "step">;
  readonly committer: Committer;
  readonly records: Records;
}

/** What a commit does to a job's own records: progress, and those of dead letters and stopped keys. */
export interface Advance {
  readonly progress: PartitionProgress;
  readonly steps: readonly Step[];
}

/** A commit on its way. */
export interface Sent {
  /** The progress as it is once it has succeeded. */
  readonly saved: Saved;
  readonly done: Promise<void>;
}

/**
 * Sends a commit and closes it: the job's own records, and everything that its items have read or written. What others
 * read from now on has the version that it is about to get.
 */
export function send(to: Destination, commit: Commit, last: Saved, { progress, steps }: Advance): Sent {
  const { record, committer } = to;
  const touched = Array.from(commit.touches, ([cached, touch]) => stepOf(to, cached, touch));
  const { versions, done } = committer.send([record.step(last, progress), ...steps, ...touched], record.lease);
  let i = 1 + steps.length;
  for (const [cached, { write }] of commit.touches) {
    if (write) cached.version = versions[i];
    i++;
  }
  commit.close();
  return { saved: { progress, version: versions[0] }, done };
}

/**
 * The same in a store of several places: for each tag a group of what items have read and written, with marks that
 * these items are done; when all of those have committed, and what was sent `after` that, the progress. What a crash
 * leaves between the two is found by its marks and not done again.
 */
export function sendApart(
  to: Destination,
  marks: DoneMarks,
  commit: Commit,
  last: Saved,
  { progress, steps }: Advance,
  after: Promise<unknown>,
): Sent {
  const { record, committer } = to;
  const groups = new Map<string, MarkStep[]>();
  const full: MarkStep[][] = [];
  const add = (one: MarkStep): void => {
    const tag = tagOf(one.step.key);
    const group = groups.get(tag);
    if (group && group.length < committer.maxSteps) return void group.push(one);
    if (group) full.push(group);
    groups.set(tag, [one]);
  };
  for (const [key, ids] of commit.marks) add(marks.add(key, ids));
  for (const [cached, touch] of commit.touches) {
    add({ step: stepOf(to, cached, touch), sent: (version) => touch.write && (cached.version = version) });
  }
  // Last, so that only these are ever parted from the rest: what items have read and written fits into one group.
  for (const one of marks.tidy()) add(one);
  const outcomes = [...full, ...groups.values()].map((group) => {
    const own = group.map(({ step }) => step);
    const { versions, done } = (committer.sendApart ?? committer.send)(own, record.lease);
    for (const [i, { sent }] of group.entries()) sent(versions[i]);
    return done;
  });
  commit.close();
  const before = Promise.all([allOf(outcomes), after]);
  const { versions, done } = committer.send([record.step(last, progress), ...steps], record.lease, before);
  return { saved: { progress, version: versions[0] }, done };
}

/** What a commit has read or written of a record. */
function stepOf({ records }: Destination, { store, key, payload }: CachedRecord, { base, write, ttl }: Touch): Step {
  // What was written and removed again must still be absent.
  if (!write || (payload === undefined && base === null)) return { store, key, base };
  if (payload === undefined) return { store, key, base, write: "delete" };
  return { store, key, base, write: { value: records.decode(payload), ttl } };
}

/** Resolves when all have; once every one is settled, rejects with the gravest failure. */
async function allOf(outcomes: readonly Promise<void>[]): Promise<void> {
  const settled = await Promise.allSettled(outcomes);
  const errors = settled.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  if (errors.length === 0) return;
  const rank = (error: unknown): number => {
    const at = gravest.findIndex((code) => isHoldfastError(error, code));
    return at < 0 ? (isHoldfastError(error, "CONFLICT") ? gravest.length + 1 : gravest.length) : at;
  };
  throw errors.reduce((worst, error) => (rank(error) < rank(worst) ? error : worst));
}

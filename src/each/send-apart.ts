import { isHoldfastError, type ErrorCode } from "../base/errors.ts";
import { tagOf } from "../base/tags.ts";
import type { Batch } from "./batch.ts";
import type { DoneMarks, MarkChange } from "./done-marks.ts";
import { Stage } from "./item.ts";
import type { Advance } from "./pass.ts";
import { progressChange, touchChange, type Destination, type Saved, type SentBatch } from "./send-batch.ts";

/** What decides how a batch goes on, of several failures of its groups. */
const gravest: readonly ErrorCode[] = ["FENCED", "INDETERMINATE", "UNAVAILABLE"];

/** Where items commit apart from their progress. */
export interface Apart extends Destination {
  readonly marks: DoneMarks;
  readonly sendApart: NonNullable<Destination["committer"]["sendApart"]>;
}

/**
 * Sends a batch and closes it, in a store of several places: for each tag a group of what its items have read and written, with
 * marks that these items are done; when all of those have committed, and what was sent `after` that, the progress. What a
 * crash leaves between the two is found by its marks and not done again.
 */
export function sendApart(
  to: Apart,
  batch: Batch,
  last: Saved,
  advance: () => Advance,
  after: Promise<unknown>,
): SentBatch {
  for (const item of batch.items) item.stage = Stage.sent;
  const { progress, changes } = advance();
  const groups = new Map<string, MarkChange[]>();
  const full: MarkChange[][] = [];
  const add = (change: MarkChange): void => {
    const tag = tagOf(change.change.key);
    const group = groups.get(tag);
    if (group && group.length < to.committer.maxSteps) return void group.push(change);
    if (group) full.push(group);
    groups.set(tag, [change]);
  };
  for (const [key, ids] of batch.marks) add(to.marks.add(key, ids));
  for (const [record, touch] of batch.touches) {
    const sent: MarkChange["sent"] = (version) => {
      if (touch.write) record.version = version;
    };
    add({ change: touchChange(to, record, touch), sent });
  }
  // Last, so that only these are ever parted from the rest: what items have read and written fits into one group.
  for (const change of to.marks.tidy()) add(change);
  const outcomes = [...full, ...groups.values()].map((group) => {
    const { versions, done } = to.sendApart(
      group.map(({ change }) => change),
      to.lease,
    );
    for (const [i, { sent }] of group.entries()) sent(versions[i]);
    return done;
  });
  batch.close();
  const before = Promise.all([allOf(outcomes), after]);
  const own = progressChange(to, last, progress);
  const { versions, done } = to.committer.send([own, ...changes], to.lease, before);
  return { saved: { progress, version: versions[0] }, done };
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

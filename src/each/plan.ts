import type { Holdfast } from "../entries/index.ts";
import { caveatOf } from "./committer.ts";
import type { Opening, Source } from "./input/source.ts";
import type { Job } from "./job.ts";
import { jobStoreName } from "./layout.ts";
import { progressesOf } from "./partition-record.ts";
import { addCounts, isFinished, noCounts, type Counts, type PartitionProgress } from "./progress.ts";
import type { Crew } from "./report.ts";
import type { EachProgress } from "./types.ts";

/** What is to be done. */
export interface Plan {
  readonly name: string;
  readonly job: Job;
  readonly source: Source;
  readonly opening: Opening;
  readonly caveat: string | undefined;
  /** What was done before the run started, and the watermarks of partitions then, in bytes. */
  readonly counts: Counts;
  readonly marks: ReadonlyMap<number, number>;
}

/** The plan of a run that goes on with a job. */
export async function planOf(hf: Holdfast, name: string, job: Job, source: Source, opening: Opening): Promise<Plan> {
  const found = await loadProgress(hf, { name, job });
  const { size } = source.fingerprint;
  const marks = new Map(Array.from(found, ([i, { next, end }]) => [i, end ? size : next.offset]));
  const caveat = caveatOf(hf.capabilities, hf.backend, job.key !== null);
  return { name, job, source, opening, caveat, counts: sum(found.values()), marks };
}

/** The progress of each partition that has any. */
export function loadProgress(
  hf: Holdfast,
  { name, job }: Pick<Plan, "name" | "job">,
): Promise<Map<number, PartitionProgress>> {
  const all = Array.from({ length: job.partitions }, (_, i) => i);
  return progressesOf(hf.state(jobStoreName(name)), all);
}

/** Whether every partition is finished, also with retries. */
export function isComplete(found: ReadonlyMap<number, PartitionProgress>, job: Job): boolean {
  return [...found.values()].filter((progress) => isFinished(progress, job)).length === job.partitions;
}

/** All counts together. */
export function sum(progresses: Iterable<PartitionProgress>): Counts {
  let counts = noCounts;
  for (const progress of progresses) counts = addCounts(counts, progress.counts);
  return counts;
}

/** How far a run is, by what its workers last said. */
export function progressOf(crew: Crew, { job, marks: before, source, counts }: Plan): EachProgress {
  const marks = new Map(before);
  const reports = crew.reports();
  let { done, dead, waiting } = counts;
  for (const { stats, marks: own } of reports) {
    done += stats.processed - stats.dead - stats.waiting;
    dead += stats.dead;
    waiting += stats.waiting;
    for (let i = 0; i < own.length; i += 2)
      marks.set(own[i] as number, Math.max(own[i + 1] as number, marks.get(own[i] as number) ?? 0));
  }
  const passed = [...marks.values()].reduce((all, offset) => all + offset, 0);
  const { size } = source.fingerprint;
  return {
    processed: done + dead + waiting,
    part: size === 0 ? 1 : Math.min(passed / (size * job.partitions), 1),
    dead,
    waiting,
    workers: reports.map(({ worker, pid, stats, partitions, running }) => ({
      worker,
      pid,
      processed: stats.processed,
      partitions,
      running,
    })),
  };
}

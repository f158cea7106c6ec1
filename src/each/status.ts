import { CorruptValueError } from "../base/errors.ts";
import type { Holdfast } from "../entries/index.ts";
import { isGone } from "./identity.ts";
import type { FormatName } from "./input/formats.ts";
import type { BigIntegers } from "./input/numbers.ts";
import type { Fingerprint } from "./input/source.ts";
import type { Job } from "./job.ts";
import { deadPrefix, jobKey, jobStoreName, memberKey, membersKey, type DeadLetter } from "./layout.ts";
import { count, resolveJob, type JobOptions } from "./options.ts";
import { connectPatiently } from "./outage.ts";
import { loadProgress, sum } from "./plan.ts";
import { isFinished, type Counts } from "./progress.ts";

/** Dead letters that are told of unless told how many. */
const someLetters = 10;

/** Options of {@link eachStatus}. */
export interface StatusOptions extends JobOptions {
  /** How many dead letters to tell of, 0 to 1,000. Default: 10. */
  readonly deadLetters?: number | undefined;
}

/** What is stored of a job. */
export interface EachStatus extends Counts {
  readonly job: string;
  /** `done`: every item was handled. `dead`: all came to an end, some as dead letters. `open`: there is work left. */
  readonly state: "done" | "dead" | "open";
  /** The part of the input that was passed, 0 to 1. */
  readonly part: number;
  /** The input, as text of UTF-8: its size in bytes and its hash. */
  readonly input: Fingerprint;
  readonly format: FormatName;
  /** What parts the fields of CSV. */
  readonly delimiter?: string;
  readonly bigIntegers?: BigIntegers;
  /** The field that is the key. */
  readonly key?: string;
  /** Parts of the work, and how many of them are finished. */
  readonly partitions: number;
  readonly finished: number;
  /** Workers that have said in the last `leaseTtl` that they are there, on all machines. */
  readonly workers: number;
  /** Some of the dead letters, in no particular order. */
  readonly letters: readonly StatusLetter[];
}

/** A dead letter. */
export interface StatusLetter {
  /** The record number. */
  readonly id: number;
  readonly key?: string;
  readonly error: { readonly name: string; readonly message: string };
  readonly attempts: number;
}

/**
 * How far a job is, by what is stored of it; undefined where there is none of that name. It changes nothing of the job.
 *
 * Rejects with InvalidArgumentError where an option is wrong, UnavailableError where the store was away for longer than
 * `storeTimeout`, CorruptValueError where what is stored cannot be read.
 */
export async function eachStatus(options: StatusOptions): Promise<EachStatus | undefined> {
  const { store, job, storeTimeoutMs } = resolveJob(options);
  const letters = count(options.deadLetters, "deadLetters", 0, 1_000) ?? someLetters;
  if (typeof store !== "string") return statusOf(store, job, letters);
  const hf = await connectPatiently(store, storeTimeoutMs, new AbortController().signal);
  try {
    return await statusOf(hf, job, letters);
  } finally {
    await hf.close();
  }
}

async function statusOf(hf: Holdfast, name: string, most: number): Promise<EachStatus | undefined> {
  const store = hf.state(jobStoreName(name));
  const job = (await store.load(jobKey)) as Job | undefined;
  if (!job) return undefined;
  if (typeof job.partitions !== "number")
    throw new CorruptValueError("the record of a job cannot be read", { key: jobKey });
  const progress = await loadProgress(hf, { name, job });
  const counts = sum(progress.values());
  const finished = [...progress.values()].filter((one) => isFinished(one, job)).length;
  const { size } = job.input;
  let passed = 0;
  for (const { next, end } of progress.values()) passed += end ? size : next.offset;
  const letters: StatusLetter[] = [];
  for (const [partition, { counts: own }] of progress) {
    if (own.dead === 0 || letters.length >= most) continue;
    for await (const { value } of store.list({ prefix: deadPrefix(partition) })) {
      const { id, key, error, attempts } = value as DeadLetter;
      letters.push({ id, ...(key !== undefined && { key }), error, attempts });
      if (letters.length >= most) break;
    }
  }
  return {
    job: name,
    state: finished < job.partitions ? "open" : counts.dead > 0 ? "dead" : "done",
    ...counts,
    part: finished === job.partitions ? 1 : Math.min(passed / Math.max(size * job.partitions, 1), 1),
    input: job.input,
    format: job.format,
    ...(job.format === "csv" && { delimiter: job.delimiter ?? "," }),
    ...(job.bigIntegers && { bigIntegers: job.bigIntegers }),
    ...(job.key !== null && { key: job.key }),
    partitions: job.partitions,
    finished,
    workers: await workersOf(hf, name),
    letters,
  };
}

async function workersOf(hf: Holdfast, name: string): Promise<number> {
  const store = hf.state(jobStoreName(name));
  const named = ((await store.load(membersKey)) ?? []) as readonly string[];
  const found = await store.loadMany(named.map(memberKey));
  return [...found.values()].filter((member) => !isGone((member as { readonly who: string }).who)).length;
}

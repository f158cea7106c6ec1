import { InvalidArgumentError, isHoldfastError } from "../base/errors.ts";
import type { StateStore } from "../entries/index.ts";
import type { FormatName } from "./input/formats.ts";
import type { BigIntegers } from "./input/numbers.ts";
import type { Fingerprint } from "./input/source.ts";
import { jobKey } from "./layout.ts";

/** What a job is, fixed when it was made. */
export interface Job {
  readonly input: Fingerprint;
  readonly format: FormatName;
  /** Absent: a comma. */
  readonly delimiter?: string;
  readonly bigIntegers?: BigIntegers;
  /** The key field; `null`: items have no key. */
  readonly key: string | null;
  readonly partitions: number;
  /** Rounds of retries that were asked for. */
  readonly round: number;
}

/**
 * Makes the job, or joins the one of that name. Rejects with InvalidArgumentError where that is other work: another
 * input, format or key.
 */
export async function openJob(store: StateStore<unknown>, name: string, made: Job, retryDead: boolean): Promise<Job> {
  for (;;) {
    const entry = await store.loadEntry(jobKey);
    if (entry) {
      const job = entry.value as Job;
      assertSame(job, made, name);
      if (!retryDead) return job;
      const next = { ...job, round: job.round + 1 };
      if (await saved(store, next, { version: entry.version })) return next;
    } else if (await saved(store, made, { absent: true })) return made;
  }
}

async function saved(
  store: StateStore<unknown>,
  job: Job,
  condition: { readonly absent: true } | { readonly version: string },
): Promise<boolean> {
  try {
    await store.save(jobKey, job, { if: condition });
    return true;
  } catch (error) {
    if (isHoldfastError(error, "CONFLICT")) return false; // another run was faster
    throw error;
  }
}

function assertSame(job: Job, now: Job, name: string): void {
  const is = `the job ${JSON.stringify(name)} `;
  const other = "give the same as before, or another --job";
  if (job.format !== now.format)
    throw new InvalidArgumentError(`${is}reads ${job.format}, not ${now.format}: ${other}`);
  if (job.delimiter !== now.delimiter) {
    const delimiter = JSON.stringify(job.delimiter ?? ",");
    throw new InvalidArgumentError(
      `${is}has the delimiter ${delimiter}, not ${JSON.stringify(now.delimiter ?? ",")}: ${other}`,
    );
  }
  if (job.bigIntegers !== now.bigIntegers) {
    const said = job.bigIntegers === undefined ? "says nothing of" : `takes ${job.bigIntegers}s for`;
    throw new InvalidArgumentError(`${is}${said} big integers: ${other}`);
  }
  if (job.key !== now.key) {
    const said = job.key === null ? "has no key" : `has the key ${JSON.stringify(job.key)}`;
    throw new InvalidArgumentError(`${is}${said}: ${other}`);
  }
  if (job.input.size !== now.input.size || job.input.sha256 !== now.input.sha256) {
    throw new InvalidArgumentError(
      `${is}was started with another input (${job.input.size} bytes then, ${now.input.size} bytes now, ` +
        `${job.input.size === now.input.size ? "with other content" : "so it was changed"}): ` +
        "its progress would not fit. " +
        "Give the input as it was, or another --job",
    );
  }
}

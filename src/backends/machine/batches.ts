import { IndeterminateError } from "../../base/errors.ts";
import type { ExecuteCall, Group, Outcome } from "../../port/index.ts";
import type { Due } from "../common/alarm.ts";
import type { Command, WiredFailure } from "./commands.ts";
import { maybeSent, notSent } from "../common/failures.ts";
import type { Speech } from "./engine.ts";
import { BatchWriter } from "./batch-writer.ts";

/** One call: its outcomes so far. */
export interface Job extends Due {
  readonly call: ExecuteCall;
  readonly outcomes: Outcome[];
  readonly entries: Entry[];
  left: number;
  readonly settle: (outcomes: Outcome[]) => void;
}

/** One group, or a command of our own. */
export interface Entry {
  readonly job: Job;
  readonly index: number;
  /** Where it starts in its batch. */
  start: number;
  /** Gone once it is encoded, or its call is over: what was answered long ago must not hang on to what it was about. */
  work: Group | Command | undefined;
  /** How many results it has. */
  readonly results: number;
  readonly session: string;
  state: "waiting" | "sent" | "settled";
  /** What the thread said became of it. */
  outcome: Outcome | undefined;
}

/** One of the two batches that are used by turns. */
export interface Batch {
  readonly slot: number;
  readonly writer: BatchWriter;
  entries: Entry[];
  ops: number;
}

export function received(outcome: Outcome | WiredFailure, speech: Speech): Outcome {
  if (outcome.ok || outcome.why !== "failed") return outcome;
  const error = speech.explain(outcome.error);
  return outcome.sent ? unknown(speech, error.message, error) : notSent(error);
}

/** The outcome of a group that may have had its effect. */
export function unknown({ name }: Speech, why: string, cause?: unknown): Outcome {
  return maybeSent(new IndeterminateError(why, { backend: name, cause }));
}

export function emptyBatch(slot: number): Batch {
  return { slot, writer: new BatchWriter(), entries: [], ops: 0 };
}

export function clear(batch: Batch): void {
  batch.writer.reset();
  batch.entries = [];
  batch.ops = 0;
}

const plainOutcomes: Outcome[] = [];

/** "ok" with nothing to tell, shared by all groups of that many operations. */
export function plain(ops: number): Outcome {
  return (plainOutcomes[ops] ??= Object.freeze({
    ok: true as const,
    results: Object.freeze(Array.from({ length: ops }, () => undefined)),
  }));
}

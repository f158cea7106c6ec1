import type { StateStore } from "../entries/index.ts";
import type { Batch } from "./batch.ts";
import type { Committer } from "./committer.ts";
import type { RunHost } from "./context.ts";
import type { Item } from "./item.ts";
import type { Lane } from "./lane.ts";
import type { Handler } from "./types.ts";
import type { WatchTerms } from "./watch.ts";
import type { WorkerTerms } from "./worker-terms.ts";

/** What a worker is to do, as far as it matters to lanes. */
export type LaneTerms = WatchTerms & Pick<WorkerTerms, "backoffMs" | "onDead" | "itemTimeoutMs">;

/** What the lanes of a worker need of it. */
export interface LaneHost extends RunHost {
  readonly handler: Handler;
  readonly terms: LaneTerms;
  readonly committer: Committer;
  /** The job's own records. */
  readonly store0: StateStore<unknown>;
  /** Its done marks, where items commit apart from their progress. */
  readonly store1: StateStore<unknown> | undefined;
  /** Monotonic, in ms. */
  now(): number;
  /** The item of a record that can be parsed, anew. */
  parse(text: string | undefined): unknown;
  /** A handler runs, or has run. */
  started(): void;
  ended(): void;
  /** Something may be possible that was not. */
  poke(): void;
  /** A handler ran for nothing, since another item of this process changed what it had read. */
  reran(): void;
  /** Starts an item when no other runs. */
  runAlone(lane: Lane, item: Item): void;
  /** Has a suspect run while no other does. */
  tryAlone(lane: Lane, item: Item): void;
  /** Takes back what the lane wanted to run alone. */
  dropAlone(lane: Lane): void;
  committed(lane: Lane, batch: Batch): void;
  refused(lane: Lane, batch: Batch, error: unknown): void;
  /** Ends the worker. */
  fail(error: unknown): void;
  /** Resolves when a lane can go on after a refusal; stops the lane if it cannot. Must not reject. */
  recover(lane: Lane, error: unknown): Promise<void>;
}

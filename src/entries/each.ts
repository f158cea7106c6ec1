export { each, startEach, type EachRun } from "../each/run.ts";
export type { HandlerContext, ItemState } from "../each/context.ts";
export type { ExportedDeadLetter } from "../each/dead-letters.ts";
export type { FormatName } from "../each/input/source.ts";
export type {
  EachEvent,
  EachOptions,
  EachProgress,
  EachSummary,
  Handler,
  OnDead,
  WorkerProgress,
} from "../each/types.ts";

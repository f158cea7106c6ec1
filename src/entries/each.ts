export { each, startEach, type EachRun } from "../each/each.ts";
export type { ExportedDeadLetter } from "../each/dead-letters.ts";
export type { FormatName } from "../each/input/formats.ts";
export { InputError } from "../each/input/input-error.ts";
export type { BigIntegers } from "../each/input/numbers.ts";
export { previewEach, type EachPreview, type PreviewItem, type PreviewOptions } from "../each/preview.ts";
export { eachStatus, type EachStatus, type StatusLetter, type StatusOptions } from "../each/status.ts";
export type {
  EachEvent,
  EachOptions,
  EachProgress,
  EachSummary,
  Handler,
  HandlerContext,
  ItemState,
  OnDead,
  WorkerProgress,
} from "../each/types.ts";

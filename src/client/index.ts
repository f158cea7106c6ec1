export { checkSignal, refuseForgotten, timeoutMs, type Call, type CallOptions } from "./calls.ts";
export { Diagnostics, type OperationMessage, type Source } from "./diagnostics.ts";
export type { HoldfastEvents } from "./events.ts";
export { findGrip, gripOf, readGripsBy, setGrip, type LeaseGrip } from "./grips.ts";
export { bounded, Instance, type Closing } from "./instance.ts";
export type { Reply } from "./requests.ts";
export type { Joined, OpenTransaction, TransactionFactory } from "./transactions.ts";
export { insideOf, within, type Run, type Runs } from "./runs.ts";
export { executeWrite, Write } from "./writes.ts";

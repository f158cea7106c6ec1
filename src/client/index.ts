// One instance of an application, in front of a session of a backend. State, locks and caches stand on it.
//
// - `Instance` is what they call: it executes groups, reads pages, subscribes, and closes. `calls.ts` has the limits of
//   a call, `events.ts` and `diagnostics.ts` what an application can listen to.
// - `Instance.execute` asks the `Coalescer`. It executes a group at once where the backend can, else it makes a
//   `Request`. `KeyOrder` lets the request into the `KeyLine` of each of its keys; those that are first in all of their
//   lines go to the session, gathered by tick into batches. A `Caller` waits for a request, and leaves with the
//   outcome, by its signal, or at its deadline (`Deadlines`).
// - `executeWrite` and `Write` also find out the outcome of a write whose reply was lost.
// - `batches.ts` has the entries and the error of a call on many keys, `sizes.ts` refuses values that are too large.
// - `OwnCalls` are calls in a transaction of the application: the coalescer has nothing to do with them.
// - `UserFunctions` are the calls that run functions of the application: a close waits for them.
// - `LeaseGrip` and `TransactionFactory` are what locks and state give each other, for they do not know each other.

export { allOrBatchError, toEntry } from "./batches.ts";
export { checkSignal, refuseForgotten, refuseUnknown, timeoutMs, type Call, type CallOptions } from "./calls.ts";
export { Diagnostics, type OperationMessage, type Source } from "./diagnostics.ts";
export type { HoldfastEvents } from "./events.ts";
export { findGrip, gripOf, readGripsBy, setGrip, type LeaseGrip } from "./grips.ts";
export { bounded, Instance, type Closing } from "./instance.ts";
export { OwnCalls } from "./own-calls.ts";
export type { Reply } from "./requests.ts";
export { tooLarge } from "./sizes.ts";
export type { Joined, OpenTransaction, TransactionFactory } from "./transactions.ts";
export { insideOf, within, type UserFunction, type UserFunctions } from "./user-functions.ts";
export { executeWrite, Write } from "./writes.ts";

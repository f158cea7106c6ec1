// Locks: leases on keys, semaphores and read/write locks, elections, `runOnce`.
//
// - `Lock` and `SharedLock` are public. They make a request, and the `LockSpace` of its kind leads it to the
//   `LocalQueue` of its key, where it becomes a `Waiter`.
// - A `LocalQueue` has one `Campaign` at a time: the contender that asks the store, until the lock is granted. The
//   `Contenders` of an instance hear the store's signals of grants, and wake the campaigns; where there are none,
//   `Polling` says how soon a campaign asks again.
// - A grant becomes a `Tenure`. Its `Life` is how long it lasts by the local clocks, its `Extensions` renew it. It is
//   held for one tenant after another: mostly a `Hold`, the inside of a `Lease`. When a lease ends, the tenure goes to
//   the next waiter of the queue, or back to the store (`releasing.ts`).
// - `Several` takes several keys, in one group or one by one, and holds what it has by a tenure each.
// - `RunOnce` runs a function under a lease; its `RunLog` keeps the record of the run.
// - All of them stand on `LockHost`: the clock, the schedule, work without a caller, what must end on a close.

export type { LeaderFunction } from "./elect.ts";
export { Holder } from "./holder.ts";
export type { HolderKind } from "./kinds.ts";
export { Lease } from "./lease.ts";
export { Lock, type Keys, type LockOptions } from "./lock.ts";
export type { ForceReleaseOptions, InspectOptions, KindOptions, ListLocksOptions } from "./looking.ts";
export type { AcquireDefaults, AcquireOptions } from "./options.ts";
export type { ReleaseResult } from "./releasing.ts";
export type { RunOnceContext, RunOnceOptions, RunOnceResult } from "./run-options.ts";
export { SharedLock, type ReadWriteLock, type Semaphore } from "./shared.ts";
export type { StoredRun } from "./stored-runs.ts";
export type { TryRun } from "./under-lease.ts";

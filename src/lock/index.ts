export type { LeaderFunction } from "./elect.ts";
export { Holder } from "./holder.ts";
export { Lease } from "./lease.ts";
export { Lock, type Keys, type LockOptions } from "./lock.ts";
export type { AcquireDefaults, AcquireOptions } from "./options.ts";
export type { ReleaseResult } from "./releasing.ts";
export type { RunOnceContext, RunOnceOptions, RunOnceResult } from "./run-options.ts";
export { SharedLock, type ReadWriteLock, type Semaphore } from "./shared.ts";
export type { TryRun } from "./under-lease.ts";

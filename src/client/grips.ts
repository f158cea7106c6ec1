import { InvalidArgumentError } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Instance } from "./instance.ts";

/**
 * What a write under a lease needs to know of the lease. The lock feature registers one for each lease, and the state
 * feature asks for it. It is not part of the public Lease, so that the insides of a lease are not public.
 */
export interface LeaseGrip {
  readonly instance: Instance;
  /** Exclusive leases guard writes; those of semaphores and readers cannot. */
  readonly exclusive: boolean;
  /** The lock's name; its keys as locks of the port. */
  readonly lock: string;
  readonly locks: readonly Key[];
  /** The owner that the store knows: the contender, not the local hand-off. */
  readonly owner: string;
  readonly grant: number;
  readonly n: number;
  /** Time left by the local deadline, in ms. */
  remainingMs(): number;
  /** Throws FencedError if the lease is lost, released or past its local deadline. */
  assertHeld(): void;
  /**
   * Counts an operation that names the lease: a release waits until the operation is over. The caller ends it with
   * `settled(indeterminate)`, once. After an indeterminate operation the lock is not handed on in this process.
   */
  begin(): (indeterminate: boolean) => void;
}

type GripSource = (lease: object) => LeaseGrip | undefined;

const grips = new WeakMap<object, LeaseGrip>();
const sources: GripSource[] = [];

/** Registers a lease's grip. */
export function setGrip(lease: object, grip: LeaseGrip): void {
  grips.set(lease, grip);
}

/** Registers where the leases of a class carry their grips. A map entry for each would cost as much as the rest. */
export function readGripsBy(source: GripSource): void {
  sources.push(source);
}

/** The grip of a lease, even if it cannot guard a write; `undefined` for no lease of this copy of the package. */
export function findGrip(lease: unknown): LeaseGrip | undefined {
  if (typeof lease !== "object" || lease === null) return undefined;
  for (const source of sources) {
    const grip = source(lease);
    if (grip) return grip;
  }
  return grips.get(lease);
}

/** The grip of a lease that can guard a write. Throws InvalidArgumentError for anything else. */
export function gripOf(lease: unknown): LeaseGrip {
  const grip = findGrip(lease);
  if (!grip) throw new InvalidArgumentError("lease is not a lease of this process and this copy of the package");
  if (!grip.exclusive) throw new InvalidArgumentError("a lease of a semaphore or of a reader cannot guard a write");
  return grip;
}

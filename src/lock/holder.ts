import type { HolderInfo } from "../base/errors.ts";
import type { Key } from "../base/keys.ts";
import type { Holding, LockState } from "../port/index.ts";
import { isOfThisProcess, readInfo } from "./info.ts";
import { kindOf, type HolderKind } from "./kinds.ts";

/**
 * The fence of a lease that was handed on `n` times in its process: greater than every earlier fence of the same lock.
 */
export function fenceOf(grant: number, n: number): bigint {
  return (BigInt(grant) << 10n) | BigInt(n);
}

interface HolderFields {
  readonly kind: HolderKind;
  readonly key: string;
  readonly owner: string;
  readonly label: string | undefined;
  readonly fence: bigint;
  readonly remainingMs: number;
  readonly waiting: number;
}

/** Who holds a lock. Exact within the instance that holds it, elsewhere as of the holder's last renewal. */
export class Holder implements HolderInfo {
  /** What is held under the key. */
  readonly kind: HolderKind;
  /** The lock's key: that of `acquire`, or the name or the id of what its kind says. */
  readonly key: string;
  /**
   * The owner id of the lease, as `contender/n`: the contender, and how often the lock was handed on in its process.
   */
  readonly owner: string;
  /** The `label` that the holder gave. */
  readonly label: string | undefined;
  /** The lease's fence. */
  readonly fence: bigint;
  /** Milliseconds until the lease ends unless it is renewed. */
  readonly remainingMs: number;
  /** How many wait: contenders of other instances, and every waiter of this one. */
  readonly waiting: number;

  /** @internal */
  constructor(fields: HolderFields) {
    this.kind = fields.kind;
    this.key = fields.key;
    this.owner = fields.owner;
    this.label = fields.label;
    this.fence = fields.fence;
    this.remainingMs = Math.ceil(fields.remainingMs);
    this.waiting = fields.waiting;
  }

  /** Plain data; the fence as a decimal string. */
  toJSON(): {
    kind: HolderKind;
    key: string;
    owner: string;
    label?: string;
    fence: string;
    remainingMs: number;
    waiting: number;
  } {
    return {
      kind: this.kind,
      key: this.key,
      owner: this.owner,
      ...(this.label === undefined ? {} : { label: this.label }),
      fence: this.fence.toString(),
      remainingMs: this.remainingMs,
      waiting: this.waiting,
    };
  }
}

/** The holders in a state of the store. */
export function holdersOf(lock: Key, state: LockState, waiting: number): Holder[] {
  return state.holders.map((holding) => describe(lock, holding, waiting));
}

/** The same of one; of several, one of this process if there is one. */
export function holderOf(lock: Key, state: LockState | undefined): Holder | undefined {
  return state && nearest(holdersOf(lock, state, state.waiting));
}

/** One of this process if there is one, else any. */
export function nearest(holders: readonly Holder[]): Holder | undefined {
  return holders.find(({ owner }) => isOfThisProcess(owner)) ?? holders[0];
}

/** The contender that the store knows of an owner. */
export function contenderOf(owner: string): string {
  const at = owner.lastIndexOf("/");
  return at < 0 ? owner : owner.slice(0, at);
}

function describe({ space, key }: Key, { owner, mode, grant, info, remainingMs }: Holding, waiting: number): Holder {
  const { n, label, kind } = readInfo(info);
  return new Holder({
    kind: kindOf(space, mode, kind),
    key,
    owner: `${owner}/${n}`,
    label,
    fence: fenceOf(grant, n),
    remainingMs: Math.max(0, remainingMs),
    waiting,
  });
}

import type { HolderInfo } from "../base/errors.ts";
import type { Holding, LockState } from "../port/index.ts";
import { isOfThisProcess, readInfo } from "./info.ts";

/** The fence of a local hand-off: greater than every earlier one of the same lock. */
export function fenceOf(grant: number, n: number): bigint {
  return (BigInt(grant) << 10n) | BigInt(n);
}

interface HolderFields {
  readonly key: string;
  readonly owner: string;
  readonly label: string | undefined;
  readonly fence: bigint;
  readonly remainingMs: number;
  readonly waiting: number;
}

/** Who holds a lock. Exact within the instance that holds it, elsewhere as of the holder's last renewal. */
export class Holder implements HolderInfo {
  /** The lock's key. */
  readonly key: string;
  /** The lease's owner id: the contender and the local hand-off, as `contender/n`. */
  readonly owner: string;
  /** What the holder gave as `label`. */
  readonly label: string | undefined;
  /** The lease's fence. */
  readonly fence: bigint;
  /** Milliseconds until the lease ends unless it is renewed. */
  readonly remainingMs: number;
  /** How many wait: contenders of other instances, and every waiter of this one. */
  readonly waiting: number;

  /** @internal */
  constructor(fields: HolderFields) {
    this.key = fields.key;
    this.owner = fields.owner;
    this.label = fields.label;
    this.fence = fields.fence;
    this.remainingMs = Math.ceil(fields.remainingMs);
    this.waiting = fields.waiting;
  }

  /** Plain data; the fence as a decimal string. */
  toJSON(): { key: string; owner: string; label?: string; fence: string; remainingMs: number; waiting: number } {
    return {
      key: this.key,
      owner: this.owner,
      ...(this.label === undefined ? {} : { label: this.label }),
      fence: this.fence.toString(),
      remainingMs: this.remainingMs,
      waiting: this.waiting,
    };
  }
}

/** The holder that a state tells of; of several, one of this process if there is one. */
export function holderOf(key: string, state: LockState | undefined, waiting = state?.waiting ?? 0): Holder | undefined {
  if (state === undefined) return undefined;
  const holding = state.holders.find((one) => isOfThisProcess(one.owner)) ?? state.holders[0];
  return holding && describe(key, holding, waiting);
}

function describe(key: string, holding: Holding, waiting: number): Holder {
  const { n, label } = readInfo(holding.info);
  return new Holder({
    key,
    owner: `${holding.owner}/${n}`,
    label,
    fence: fenceOf(holding.grant, n),
    remainingMs: Math.max(0, holding.remainingMs),
    waiting,
  });
}

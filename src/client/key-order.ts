import { ChurnMap } from "../base/churn-map.ts";
import { keyId } from "../base/keys.ts";
import type { Group, Operation } from "../port/index.ts";

/** Something that waits for its turn on its keys. */
export interface Turn {
  readonly group: Group;
  /** Keys on which it is not yet admitted. Kept by {@link KeyOrder}. */
  missing: number;
  readonly keys: TurnKeys;
}

/** The keys of a turn, each once, with whether it is written; the key alone where there is one operation, as mostly. */
export type TurnKeys = string | readonly (readonly [id: string, write: boolean])[];

interface Waiting {
  readonly turn: Turn;
  readonly write: boolean;
}

/** Whether an operation changes its key. */
export function writes(op: Operation): boolean {
  return op.op !== "get" && op.op !== "check" && op.op !== "inspect";
}

/** Whether a group changes anything. */
export function groupWrites(group: Group): boolean {
  return group.ops.some(writes);
}

/**
 * Keeps the calls on one key in their order, whatever a backend does with groups in flight: readers of a key go together,
 * a writer goes alone. Every turn lines up on all of its keys at once, so turns cannot wait for each other in a circle.
 * Guards do not line up: either order of a guarded write and a renewal is right.
 */
export class KeyOrder {
  /** Admitted readers of a key, or -1 for one admitted writer. */
  readonly #active = new ChurnMap<string, number>();
  /** Those who wait for a key: mostly nobody. */
  readonly #waiting = new Map<string, Waiting[]>();

  /** Whether a group could go at once, without lining up. */
  idle(group: Group): boolean {
    if (this.#active.size === 0) return true;
    return group.ops.every((op) => this.#isOpen(opKeyId(op), writes(op)));
  }

  /** Lines up; true if it is admitted on all of its keys already, else `leave` of another turn will name it. */
  enter(turn: Turn): boolean {
    const { keys } = turn;
    if (typeof keys === "string") this.#line(turn, keys, writesOnly(turn));
    else for (const [id, write] of keys) this.#line(turn, id, write);
    return turn.missing === 0;
  }

  /** Ends an admitted turn; calls `admit` for each one that can go now. */
  leave(turn: Turn, admit: (next: Turn) => void): void {
    const { keys } = turn;
    if (typeof keys === "string") this.#advance(keys, this.#without(keys, writesOnly(turn)), admit);
    else for (const [id, write] of keys) this.#advance(id, this.#without(id, write), admit);
  }

  /** Takes a turn that was not admitted out of every line. */
  withdraw(turn: Turn, admit: (next: Turn) => void): void {
    const { keys } = turn;
    const all = typeof keys === "string" ? [[keys, writesOnly(turn)] as const] : keys;
    for (const [id, write] of all) {
      const line = this.#waiting.get(id);
      const place = line?.findIndex((waiting) => waiting.turn === turn) ?? -1;
      if (place >= 0) line?.splice(place, 1);
      this.#advance(id, place >= 0 ? (this.#active.get(id) as number) : this.#without(id, write), admit);
    }
  }

  #line(turn: Turn, id: string, write: boolean): void {
    if (this.#isOpen(id, write)) {
      this.#active.set(id, write ? -1 : (this.#active.get(id) ?? 0) + 1);
      return;
    }
    const line = this.#waiting.get(id);
    if (line) line.push({ turn, write });
    else this.#waiting.set(id, [{ turn, write }]);
    turn.missing++;
  }

  #isOpen(id: string, write: boolean): boolean {
    const active = this.#active.get(id);
    return active === undefined || (!write && active > 0 && !this.#waiting.has(id));
  }

  /** Those admitted to a key without one of them. */
  #without(id: string, write: boolean): number {
    return write ? 0 : (this.#active.get(id) as number) - 1;
  }

  #advance(id: string, left: number, admit: (next: Turn) => void): void {
    let active = left;
    const line = this.#waiting.get(id);
    if (!line) {
      if (active === 0) this.#active.delete(id);
      else this.#active.set(id, active);
      return;
    }
    let admitted = 0;
    for (const { write } of line) {
      if (write ? active !== 0 : active < 0) break;
      active = write ? -1 : active + 1;
      admitted++;
    }
    const next = line.splice(0, admitted);
    if (line.length === 0) this.#waiting.delete(id);
    if (active === 0) this.#active.delete(id);
    else this.#active.set(id, active);
    for (const { turn } of next) if (--turn.missing === 0) admit(turn);
  }
}

/** The key of an operation, as one string. */
export function opKeyId(op: Operation): string {
  return keyId("key" in op ? op.key : op.lock);
}

/** Whether a turn of one operation writes its key. */
function writesOnly({ group }: Turn): boolean {
  return writes(group.ops[0] as Operation);
}

/** The keys of a group, to be lined up on. */
export function keysOf({ ops }: Group): TurnKeys {
  if (ops.length === 1) return opKeyId(ops[0] as Operation);
  const keys = new Map<string, boolean>();
  for (const op of ops) {
    const id = opKeyId(op);
    keys.set(id, writes(op) || keys.get(id) === true);
  }
  return [...keys];
}

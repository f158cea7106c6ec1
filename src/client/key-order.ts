import { keyId } from "../base/keys.ts";
import type { Group, Operation } from "../port/index.ts";

/** Something that waits for its turn on its keys. */
export interface Turn {
  readonly group: Group;
  /** Keys on which it is not yet admitted. Kept by {@link KeyOrder}. */
  missing: number;
  /** Its keys. Kept by {@link KeyOrder}. */
  keys?: TurnKeys;
}

/** Each key once, with whether it is written. */
type TurnKeys = readonly (readonly [string, boolean])[];

interface Line {
  /** Admitted readers, or -1 for one admitted writer. */
  active: number;
  readonly waiting: { readonly turn: Turn; readonly write: boolean }[];
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
  readonly #lines = new Map<string, Line>();

  /** Whether a group could go at once, without lining up. */
  idle(group: Group): boolean {
    if (this.#lines.size === 0) return true;
    return group.ops.every((op) => {
      const line = this.#lines.get(opKeyId(op));
      return !line || (!writes(op) && line.active >= 0 && line.waiting.length === 0);
    });
  }

  /** Lines up; true if it is admitted on all of its keys already, else `leave` of another turn will name it. */
  enter(turn: Turn): boolean {
    turn.keys = keysOf(turn.group);
    for (const [id, write] of turn.keys) {
      const line = this.#lines.get(id);
      if (!line) this.#lines.set(id, { active: write ? -1 : 1, waiting: [] });
      else if (!write && line.active >= 0 && line.waiting.length === 0) line.active++;
      else {
        line.waiting.push({ turn, write });
        turn.missing++;
      }
    }
    return turn.missing === 0;
  }

  /** Ends an admitted turn; calls `admit` for each one that can go now. */
  leave(turn: Turn, admit: (next: Turn) => void): void {
    for (const [id, write] of turn.keys as TurnKeys) {
      const line = this.#lines.get(id) as Line;
      line.active = write ? 0 : line.active - 1;
      this.#advance(id, line, admit);
    }
  }

  /** Takes a turn that was not admitted out of every line. */
  withdraw(turn: Turn, admit: (next: Turn) => void): void {
    for (const [id, write] of turn.keys as TurnKeys) {
      const line = this.#lines.get(id) as Line;
      const place = line.waiting.findIndex((waiting) => waiting.turn === turn);
      if (place >= 0) line.waiting.splice(place, 1);
      else line.active = write ? 0 : line.active - 1;
      this.#advance(id, line, admit);
    }
  }

  #advance(id: string, line: Line, admit: (next: Turn) => void): void {
    while (line.waiting.length > 0) {
      const next = line.waiting[0] as Line["waiting"][number];
      if (next.write ? line.active !== 0 : line.active < 0) return;
      line.waiting.shift();
      line.active = next.write ? -1 : line.active + 1;
      if (--next.turn.missing === 0) admit(next.turn);
    }
    if (line.active === 0) this.#lines.delete(id);
  }
}

/** The key of an operation, as one string. */
export function opKeyId(op: Operation): string {
  return keyId("key" in op ? op.key : op.lock);
}

function keysOf({ ops }: Group): TurnKeys {
  const [first] = ops;
  if (first && ops.length === 1) return [[opKeyId(first), writes(first)]];
  const keys = new Map<string, boolean>();
  for (const op of ops) {
    const id = opKeyId(op);
    keys.set(id, writes(op) || keys.get(id) === true);
  }
  return [...keys];
}
